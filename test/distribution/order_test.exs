Code.require_file("support.exs", __DIR__)

defmodule Distribution.OrderTest do
  @moduledoc """
  The order of signals between nodes, and what is lost: each rule on simulated nodes, over many seeds. What real nodes do
  is in `test/oracle`.
  """
  use ExUnit.Case, async: true
  use Lockstep

  import Distribution.Support

  alias Lockstep.Cluster

  # A process on a node that calls the function when it is told to go, and then ends.
  defp starter(node, fun) do
    Cluster.spawn(node, fn -> receive do: (:go -> fun.()) end)
  end

  test "R-ORD1 all signals of a pair of processes arrive in order" do
    run(fn ->
      start_isolated([:a, :b])
      Cluster.set_latency(0..50)
      receiver = recorder(:a)

      sender =
        starter(:b, fn ->
          for number <- 1..100, do: send(receiver, number)
          Process.exit(receiver, :signal)
          for number <- 101..200, do: send(receiver, number)
          exit(:fin)
        end)

      tell(receiver, fn -> {Process.link(sender), Process.monitor(sender)} end)
      settle()
      send(sender, :go)
      settle()
      {one, [{:EXIT, ^sender, :signal} | rest]} = receiver |> log() |> Enum.split(100)
      {two, rest} = Enum.split(rest, 100)
      assert one ++ two == Enum.to_list(1..200)
      assert [{:EXIT, ^sender, :fin}, {:DOWN, _, :process, ^sender, :fin}] = rest
    end)
  end

  test "R-ORD1 under the pid and the name of one process, too" do
    run(fn ->
      start_isolated([:a, :b])
      Cluster.set_latency(0..50)
      receiver = recorder(:a, fn -> Process.register(self(), :receiver) end)
      addresses = Stream.cycle([receiver, {:receiver, :a}])
      Cluster.run(:b, fn -> for {to, number} <- Enum.zip(addresses, 1..20), do: send(to, number) end)
      settle()
      assert log(receiver) == Enum.to_list(1..20)
    end)
  end

  test "R-ORD2 no causal order between nodes" do
    race = fn latency ->
      start_isolated([:a, :b, :c])
      Cluster.set_latency(:a, :b, latency)
      receiver = recorder(:b)
      helper = Cluster.spawn(:c, fn -> receive do: (:now -> send(receiver, :second)) end)
      Cluster.run(:a, fn -> send(receiver, :first) && send(helper, :now) end)
      settle()
      log(receiver)
    end

    assert outcomes(fn -> race.(400..400) end, max_stall: 0) == [[:second, :first]]
    assert outcomes(fn -> race.(0..10) end) == [[:first, :second], [:second, :first]]
  end

  test "R-ORD2 none between two senders of one node" do
    senders = fn ->
      start_isolated([:a, :b])
      receiver = recorder(:b)
      second = Cluster.spawn(:a, fn -> receive do: (:now -> send(receiver, :second)) end)
      Cluster.run(:a, fn -> send(receiver, :first) && send(second, :now) end)
      settle()
      log(receiver)
    end

    assert outcomes(senders) == [[:first, :second], [:second, :first]]
  end

  test "R-ORD3 nor between two receivers of one sender" do
    receivers = fn ->
      start_isolated([:a, :b])
      second = recorder(:b)
      first = Cluster.spawn(:b, fn -> receive do: (:now -> send(second, :told_by_first)) end)
      Cluster.run(:a, fn -> send(first, :now) && send(second, :directly) end)
      settle()
      log(second)
    end

    assert outcomes(receivers) == [[:directly, :told_by_first], [:told_by_first, :directly]]
  end

  test "R-ORD3 with ordering: :node_pair all from one node to another arrives in the order it was sent" do
    receivers = fn ->
      start_isolated([:a, :b])
      one = recorder(:b)
      other = Cluster.spawn(:b, fn -> receive do: (:second -> send(one, :after_second)) end)
      Cluster.run(:a, fn -> send(one, :first) && send(other, :second) end)
      settle()
      log(one)
    end

    assert outcomes(receivers) == [[:after_second, :first], [:first, :after_second]]
    assert outcomes(receivers, ordering: :node_pair) == [[:first, :after_second]]
  end

  describe "R-ORD4 only a lost connection loses signals" do
    # Numbers one a ms, through a connection that is closed meanwhile.
    defp stream(count, close) do
      start_isolated([:a, :b])
      warm(:a)
      receiver = recorder(:a, fn -> :net_kernel.monitor_nodes(true) end)
      test = self()

      Cluster.spawn(:b, fn ->
        for number <- 1..count, do: send(receiver, number) && Process.sleep(1)
        send(test, :sent)
      end)

      close.()
      receive do: (:sent -> settle())
      log(receiver)
    end

    defp gaps(numbers), do: numbers |> Enum.zip(tl(numbers)) |> Enum.count(fn {one, next} -> next != one + 1 end)

    test "R-ORD4 one gap for a connection that is lost, nothing twice, nothing out of order" do
      stream = fn ->
        log = stream(60, fn -> Process.sleep(20) && Cluster.run(:a, fn -> Node.disconnect(:b) end) end)
        {numbers, events} = Enum.split_with(log, &is_integer/1)
        assert numbers == numbers |> Enum.sort() |> Enum.uniq()
        assert events in [[{:nodedown, :b}, {:nodeup, :b}], [{:nodedown, :b}]]
        # The stream may be over before the connection is lost.
        gap = gaps([0 | numbers] ++ [61])
        assert gap <= 1
        gap
      end

      assert outcomes(stream, seeds: 1..200) == [0, 1]
    end

    test "R-ORD4 none without one, however slow and silent the network is" do
      run(fn ->
        log =
          stream(60, fn ->
            Cluster.set_latency(0..100)
            Cluster.partition([:a], [:b], :tcp)
            Process.sleep(5_000)
            Cluster.heal()
          end)

        assert log == Enum.to_list(1..60)
      end)
    end
  end

  test "R-ORD5 nodeup comes before the first message from a node, nodedown after the last" do
    run(
      fn ->
        log =
          stream(60, fn ->
            for _ <- 1..4 do
              Process.sleep(10)
              Cluster.run(:a, fn -> Node.disconnect(:b) end)
            end
          end)

        assert between_events?(log, :up)
      end,
      seeds: 1..200
    )
  end

  defp between_events?([], _state), do: true
  defp between_events?([{:nodeup, :b} | rest], :down), do: between_events?(rest, :up)
  defp between_events?([{:nodedown, :b} | rest], :up), do: between_events?(rest, :down)
  defp between_events?([number | rest], :up) when is_integer(number), do: between_events?(rest, :up)
  defp between_events?(_log, _state), do: false

  test "R-ORD6 the list of nodes is right when an event comes" do
    run(fn ->
      start_isolated([:a, :b], connect: false)
      test = self()

      looker =
        Cluster.spawn(:a, fn ->
          :net_kernel.monitor_nodes(true)
          send(test, :watching)
          look(test)
        end)

      receive do: (:watching -> :ok)

      for _ <- 1..5 do
        Cluster.run(:a, fn -> Node.connect(:b) end)
        assert_receive {:looked, :nodeup, [:b]}
        Cluster.run(:b, fn -> Node.disconnect(:a) end)
        assert_receive {:looked, :nodedown, []}
      end

      Process.exit(looker, :kill)
    end)
  end

  defp look(test) do
    receive do: ({event, :b} -> send(test, {:looked, event, Node.list()}))
    look(test)
  end

  test "R-ORD7 what one process gets when a connection is lost" do
    run(fn ->
      start_isolated([:a, :b])
      [one, two, three] = for _ <- 1..3, do: recorder(:b)

      receiver =
        recorder(:a, fn ->
          :net_kernel.monitor_nodes(true)
          Process.monitor(two)
          Process.link(one)
          :net_kernel.monitor_nodes(true, [:nodedown_reason])
          Process.monitor(three)
          Process.monitor(one)
          Process.link(two)
          for _ <- 1..2, do: Node.monitor(:b, true)
        end)

      # From either side, and whether or not the wishes have arrived.
      Cluster.run(:a, fn -> Node.disconnect(:b) end)
      settle()
      log = log(receiver)

      assert log |> Enum.take(2) |> Enum.sort() ==
               Enum.sort([{:EXIT, one, :noconnection}, {:EXIT, two, :noconnection}])

      assert [
               {:DOWN, _, :process, ^two, :noconnection},
               {:DOWN, _, :process, ^three, :noconnection},
               {:DOWN, _, :process, ^one, :noconnection},
               {:nodedown, :b},
               {:nodedown, :b},
               {:nodedown, :b},
               {:nodedown, :b, [nodedown_reason: :disconnect]}
             ] = Enum.drop(log, 2)
    end)
  end

  # What a process watches, and in which order it hears of the end: in that in which it began, where the monitors of one
  # node count as one.
  @orders [
    {[:pid, :node], [:pid, :node]},
    {[:node, :pid], [:node, :pid]},
    {[:node, :pid, :node], [:node, :node, :pid]},
    {[:pid, :name, :pid], [:pid, :name, :pid]},
    {[:name, :node], [:name, :node]},
    {[:node, :name], [:node, :name]}
  ]

  for {watched, heard} <- @orders do
    test "R-ORD7 monitors in the order #{inspect(watched)} fire in the order #{inspect(heard)}" do
      run(
        fn ->
          start_isolated([:a, :b])
          target = recorder(:b, fn -> Process.register(self(), :target) end)
          watcher = recorder(:a, fn -> for kind <- unquote(watched), do: watch(kind, target) end)
          Cluster.run(:b, fn -> Node.disconnect(:a) end)
          settle()
          assert Enum.map(log(watcher), &kind/1) == unquote(heard)
        end,
        seeds: 50
      )
    end
  end

  defp watch(:pid, target), do: Process.monitor(target)
  defp watch(:name, _target), do: Process.monitor({:target, :b})
  defp watch(:node, _target), do: Node.monitor(:b, true)

  defp kind({:DOWN, _, :process, pid, :noconnection}) when is_pid(pid), do: :pid
  defp kind({:DOWN, _, :process, {:target, :b}, :noconnection}), do: :name
  defp kind({:nodedown, :b}), do: :node

  test "R-ORD8 what a lost connection tells comes before the next nodeup" do
    for {from, to} <- [a: :b, b: :a] do
      run(fn ->
        start_isolated([:a, :b])
        target = recorder(:b)

        watcher =
          recorder(:a, fn ->
            :net_kernel.monitor_nodes(true)
            {Process.link(target), Process.monitor(target), Node.monitor(:b, true)}
          end)

        Cluster.run(from, fn -> Node.disconnect(to) && Node.connect(to) end)
        settle()

        assert [
                 {:EXIT, ^target, :noconnection},
                 {:DOWN, _, :process, ^target, :noconnection},
                 {:nodedown, :b},
                 {:nodedown, :b},
                 {:nodeup, :b}
               ] = log(watcher)
      end)
    end
  end

  test "R-ORD9 of what a node sent before it died a prefix arrives" do
    prefix = fn ->
      start_isolated([:a, :b])
      warm(:a)
      receiver = recorder(:a, fn -> :net_kernel.monitor_nodes(true, [:nodedown_reason]) end)
      sender = starter(:b, fn -> for(number <- 1..3, do: send(receiver, number)) && Process.sleep(:infinity) end)
      tell(receiver, fn -> {Process.link(sender), Process.monitor(sender)} end)
      settle()
      send(sender, :go)
      Process.sleep(5)
      Cluster.crash_node(:b)
      settle()
      {numbers, rest} = receiver |> log() |> Enum.split_while(&is_integer/1)
      assert numbers == Enum.take(1..3, length(numbers))

      assert [
               {:EXIT, ^sender, :noconnection},
               {:DOWN, _, :process, ^sender, :noconnection},
               {:nodedown, :b, [nodedown_reason: :connection_closed]}
             ] = rest

      length(numbers)
    end

    assert outcomes(prefix, seeds: 1..300) == [0, 1, 2, 3]
  end

  # What arrives of three messages that a node sends before it ends itself, and what its end is called.
  defp last_words(ending) do
    start_isolated([:a, :b])
    warm(:a)
    receiver = recorder(:a, fn -> :net_kernel.monitor_nodes(true, [:nodedown_reason]) end)
    Cluster.spawn(:b, fn -> for(number <- 1..3, do: send(receiver, number)) && ending.() end)
    settle()
    log(receiver)
  end

  test "R-ORD9 of a node that stops in order all arrives" do
    log = Enum.to_list(1..3) ++ [{:nodedown, :b, [nodedown_reason: :connection_closed]}]
    assert outcomes(fn -> last_words(fn -> :init.stop() end) end) == [log]
    assert outcomes(fn -> last_words(fn -> System.stop() end) end) == [log]
  end

  test "R-ORD9 of a node that halts a prefix arrives" do
    halted = fn ->
      {numbers, rest} = fn -> :erlang.halt(0, flush: false) end |> last_words() |> Enum.split_while(&is_integer/1)
      assert numbers == Enum.take(1..3, length(numbers))
      assert rest == [{:nodedown, :b, [nodedown_reason: :connection_closed]}]
      length(numbers)
    end

    assert outcomes(halted, seeds: 1..300) == [0, 1, 2, 3]
  end

  test "R-ORD10 what is sent to nobody is dropped silently" do
    run(fn ->
      start_isolated([:a, :b])
      dead = Cluster.spawn(:b, fn -> :ok end)
      settle()

      recorder =
        recorder(:a, fn ->
          assert send({:nobody, :b}, :hello) == :hello
          assert send(dead, :hello) == :hello
          assert send({:nobody, :a}, :hello) == :hello
          assert_raise ArgumentError, fn -> send(:nobody, :hello) end
          assert send({:nobody, :never_started}, :hello) == :hello
        end)

      settle()
      assert log(recorder) == []
      assert lists([:a, :b]) == [[:b], [:a]]
    end)
  end
end
