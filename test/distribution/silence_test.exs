Code.require_file("support.exs", __DIR__)

defmodule Distribution.SilenceTest do
  @moduledoc """
  Networks that go silent, ticks, and nodes that stand still: each rule on simulated nodes, over many seeds. What real
  nodes do is in `test/oracle`.
  """
  use ExUnit.Case, async: true
  use Lockstep

  import Distribution.Support

  alias Lockstep.Cluster

  # Two nodes, each with a process that hears of nodes; the first one's is linked to the second one's, and watches it.
  defp watchers(options \\ []) do
    start_isolated([:a, :b], kernel: options)
    two = recorder(:b, fn -> :net_kernel.monitor_nodes(true, [:nodedown_reason]) end)

    one =
      recorder(:a, fn ->
        :net_kernel.monitor_nodes(true, [:nodedown_reason])
        {Process.link(two), Process.monitor(two)}
      end)

    settle()
    {one, two}
  end

  defp stream(recorder, to, count \\ 50), do: tell(recorder, fn -> for number <- 1..count, do: send(to, number) end)

  # A process on a node that is told when that loses the other.
  defp watch(node, test) do
    Cluster.spawn(node, fn ->
      :net_kernel.monitor_nodes(true)
      send(test, {:watching, node})
      receive do: ({:nodedown, _} -> send(test, {:detected, node, System.monotonic_time(:microsecond)}))
    end)

    receive do: ({:watching, ^node} -> :ok)
  end

  # How long each side takes to notice a cut, in virtual ms.
  defp detections(options, before) do
    start_isolated([:a, :b], kernel: options)
    # Nothing that was sent to start things counts.
    for node <- [:a, :b], do: watch(node, self())
    before.()
    Cluster.partition([:a], [:b], :tcp)
    cut = System.monotonic_time(:microsecond)
    for node <- [:a, :b], do: receive(do: ({:detected, ^node, time} -> (time - cut) / 1000))
  end

  describe "R-TICK" do
    for {ticktime, intensity} <- [{60, 4}, {4, 4}, {4, 20}, {10, 5}, {7, 1000}] do
      test "R-TICK an idle connection, #{ticktime} s in #{intensity} ticks" do
        {time, period} = {unquote(ticktime) * 1000, unquote(ticktime) * 1000 / unquote(intensity)}
        options = [net_ticktime: unquote(ticktime), net_tickintensity: unquote(intensity)]

        idle = fn ->
          detections(options, fn -> Process.sleep(3 * unquote(ticktime) * 1000 + Enum.random(0..4000)) end)
        end

        times = idle |> outcomes(max_stall: 0, seeds: 1..300) |> List.flatten()
        assert Enum.all?(times, &(&1 > time - period and &1 <= time + period))
        # The whole range is there.
        assert Enum.min(times) < time - 0.8 * period
        assert Enum.max(times) > time + 0.8 * period
      end
    end

    test "R-TICK the two sides decide alone, an idle connection up to a tick apart" do
      differences = fn ->
        [one, two] = detections([net_ticktime: 4], fn -> Process.sleep(20_000) end)
        abs(one - two)
      end

      differences = outcomes(differences, max_stall: 0, seeds: 1..300)
      assert Enum.max(differences) < 1000
      assert Enum.max(differences) > 900
      assert Enum.min(differences) < 100
    end

    test "R-TICK a node that has just sent something leaves a tick out" do
      busy = fn ->
        detections([net_ticktime: 4], fn ->
          receivers = for node <- [:b, :a], do: recorder(node)
          Process.sleep(10_000 + Enum.random(0..1000))

          for {node, receiver} <- Enum.zip([:a, :b], receivers),
              do: Cluster.run(node, fn -> send(receiver, :hello) end)

          Process.sleep(Enum.random(10..1990))
        end)
      end

      times = busy |> outcomes(max_stall: 0, seeds: 1..300) |> List.flatten()
      assert Enum.all?(times, &(&1 > 2000 and &1 <= 5000))
      assert Enum.min(times) < 2500
      assert Enum.max(times) > 4800
    end

    test "R-TICK the two sides are then up to two ticks apart" do
      differences = fn ->
        [one, two] =
          detections([net_ticktime: 4], fn ->
            receiver = recorder(:b)
            Process.sleep(10_000 + Enum.random(0..1000))
            Cluster.run(:a, fn -> send(receiver, :hello) end)
            Process.sleep(Enum.random(10..1990))
          end)

        abs(one - two)
      end

      differences = outcomes(differences, max_stall: 0, seeds: 1..300)
      assert Enum.max(differences) < 2000
      assert Enum.max(differences) > 1500
    end

    test "R-TICK ticks keep an idle connection" do
      run(fn ->
        {one, two} = watchers(net_ticktime: 1)
        Process.sleep(600_000)
        assert {lists([:a, :b]), log(one), log(two)} == {[[:b], [:a]], [], []}
      end)
    end

    test "R-TICK a network that is slower than the tick time is not silent" do
      run(fn ->
        {one, two} = watchers(net_ticktime: 1)
        Cluster.set_latency(5_000..5_000)
        stream(one, two, 10)
        Process.sleep(60_000)
        assert {lists([:a, :b]), log(one), log(two)} == {[[:b], [:a]], [], Enum.to_list(1..10)}
      end)
    end
  end

  test "R-SIL1 nobody notices a cut at first" do
    run(
      fn ->
        {one, two} = watchers()
        Cluster.partition([:a], [:b], :tcp)
        assert {_, 0} = timed(fn -> stream(one, two) end)
        stream(two, one)
        # The earliest that any side may notice it.
        Process.sleep(29_000)
        assert {lists([:a, :b]), log(one), log(two)} == {[[:b], [:a]], [], []}
        assert tell(one, fn -> :erlang.send(two, :nothing, [:noconnect]) end) == :ok
      end,
      max_stall: 0
    )
  end

  test "R-SIL2 healed before it is noticed, all arrives in order and nothing is lost" do
    run(fn ->
      {one, two} = watchers()
      Cluster.partition([:a], [:b], :tcp)
      stream(one, two)
      stream(two, one)
      Process.sleep(25_000)
      Cluster.heal()
      settle()
      assert log(one) == Enum.to_list(1..50)
      assert log(two) == Enum.to_list(1..50)
      assert lists([:a, :b]) == [[:b], [:a]]
      # Links and monitors are what they were.
      Process.exit(two, :kill)
      settle()
      assert [{:EXIT, ^two, :killed}, {:DOWN, _, :process, ^two, :killed}] = Enum.drop(log(one), 50)
    end)
  end

  test "R-SIL3 noticed by both sides, all that was under way is lost" do
    run(
      fn ->
        {one, two} = watchers(net_ticktime: 4)
        Cluster.partition([:a], [:b], :tcp)
        stream(one, two)
        stream(two, one)
        Process.sleep(10_000)
        assert lists([:a, :b]) == [[], []]
        down = fn node -> {:nodedown, node, [nodedown_reason: :net_tick_timeout]} end
        down_b = down.(:b)
        assert [{:EXIT, ^two, :noconnection}, {:DOWN, _, :process, ^two, :noconnection}, ^down_b] = log(one)
        assert log(two) == [{:EXIT, one, :noconnection}, down.(:a)]
        # Later sends try to connect, for 7 s, and are lost.
        tell(one, fn -> send(two, :lost) end)
        assert tell(one, fn -> timed(fn -> Node.connect(:b) end) end) == {false, 7_000}
        Cluster.heal()
        Process.sleep(10_000)
        assert {length(log(one)), length(log(two))} == {3, 2}
        tell(one, fn -> send(two, :arrives) end)
        settle()
        assert Enum.drop(log(two), 2) == [{:nodeup, :a, []}, :arrives]
      end,
      max_stall: 0
    )
  end

  test "R-SIL3 noticed by one side alone: the other loses the connection when the network is healed" do
    run(fn ->
      start_isolated([:a])
      start_isolated([:b], kernel: [net_ticktime: 4])

      [one, two] =
        for node <- [:a, :b], do: recorder(node, fn -> :net_kernel.monitor_nodes(true, [:nodedown_reason]) end)

      Cluster.partition([:a], [:b], :tcp)
      stream(one, two)
      stream(two, one)
      Process.sleep(10_000)
      assert lists([:a, :b]) == [[:b], []]
      Cluster.heal()
      settle()
      assert lists([:a, :b]) == [[], []]
      assert log(one) == [{:nodedown, :b, [nodedown_reason: :connection_closed]}]
      assert log(two) == [{:nodedown, :a, [nodedown_reason: :net_tick_timeout]}]
    end)
  end

  test "R-SIL4 a cut in one direction" do
    run(fn ->
      {one, two} = watchers(net_ticktime: 4)
      Cluster.partition_oneway(:a, :b)
      tell(one, fn -> send(two, :lost) end)
      tell(two, fn -> send(one, :arrives) end)
      Process.sleep(10_000)

      assert [
               :arrives,
               {:EXIT, ^two, :noconnection},
               {:DOWN, _, :process, ^two, :noconnection},
               {:nodedown, :b, [nodedown_reason: :connection_closed]}
             ] = log(one)

      assert log(two) == [{:EXIT, one, :noconnection}, {:nodedown, :a, [nodedown_reason: :net_tick_timeout]}]
    end)
  end

  test "R-SIL4 neither direction connects anew while one is cut" do
    run(
      fn ->
        start_isolated([:a, :b], connect: false)
        Cluster.partition_oneway(:a, :b)
        warm(:a)
        assert Cluster.run(:a, fn -> timed(fn -> Node.connect(:b) end) end) == {false, 7_000}
        assert Cluster.run(:b, fn -> timed(fn -> Node.connect(:a) end) end) == {false, 7_000}
        Cluster.heal()
        assert Cluster.run(:b, fn -> Node.connect(:a) end)
      end,
      max_stall: 0
    )
  end

  test "R-SIL5 a node that stood still handles what its sender gave up long ago" do
    run(fn ->
      {one, two} = watchers(net_ticktime: 4)
      Cluster.pause_node(:b)
      stream(one, two, 5)
      Process.sleep(60_000)
      assert Cluster.run(:a, fn -> Node.list() end) == []

      assert [
               {:EXIT, ^two, :noconnection},
               {:DOWN, _, :process, ^two, :noconnection},
               {:nodedown, :b, [nodedown_reason: :net_tick_timeout]}
             ] = log(one)

      Cluster.resume_node(:b)
      settle()
      down = {:nodedown, :a, [nodedown_reason: :connection_closed]}
      assert log(two) == Enum.to_list(1..5) ++ [{:EXIT, one, :noconnection}, down]
      assert lists([:a, :b]) == [[], []]
    end)
  end

  test "R-SIL5 a short pause goes unnoticed" do
    run(fn ->
      {one, two} = watchers()
      Cluster.pause_node(:b)
      stream(one, two, 5)
      Process.sleep(20_000)
      Cluster.resume_node(:b)
      settle()
      assert {log(one), log(two), lists([:a, :b])} == {[], Enum.to_list(1..5), [[:b], [:a]]}
    end)
  end

  test "R-SIL5 nothing happens on a node while it stands still" do
    run(
      fn ->
        start_isolated([:a, :b])
        test = self()

        Cluster.spawn(:b, fn ->
          for number <- 1..3, do: Process.sleep(1_000) && send(test, {number, System.monotonic_time(:millisecond)})
        end)

        Process.sleep(1_500)
        Cluster.pause_node(:b)
        Process.sleep(10_000)
        assert_received {1, _}
        refute_received {2, _}
        resumed = System.monotonic_time(:millisecond)
        Cluster.resume_node(:b)
        receive do: ({2, time} -> assert(time >= resumed))
        receive do: ({3, time} -> assert(time >= resumed + 1_000))
      end,
      max_stall: 0
    )
  end

  describe "R-FLOW" do
    @megabyte 1_000_000

    # A process that sends so many messages of a megabyte and then says so.
    defp flood(node, to, count) do
      test = self()

      Cluster.spawn(node, fn ->
        for number <- 1..count, do: send(to, {number, :binary.copy(<<0>>, @megabyte)})
        send(test, {:flooded, self(), System.monotonic_time(:millisecond)})
      end)
    end

    defp status(pid), do: Cluster.run(node(pid), fn -> Process.info(pid, :status) end)
    defp numbers(recorder), do: for({number, binary} when byte_size(binary) == @megabyte <- log(recorder), do: number)

    test "R-FLOW senders are suspended while a silent connection takes no more, and nosuspend says so" do
      run(fn ->
        start_isolated([:a, :b, :c])
        [one, two, three] = for node <- [:a, :b, :c], do: recorder(node)
        Cluster.partition([:a], [:b], :tcp)
        sender = flood(:a, two, 200)
        settle()
        assert status(sender) == {:status, :suspended}
        assert tell(one, fn -> :erlang.send(two, :small, [:nosuspend]) end) == :nosuspend
        assert tell(one, fn -> :erlang.send({:name, :b}, :small, [:nosuspend, :noconnect]) end) == :nosuspend
        assert tell(one, fn -> :erlang.send_nosuspend(two, :small) end) == false
        # Neither of these has to wait, nor does what goes elsewhere.
        assert tell(one, fn -> {Node.list(), Node.monitor(:b, true)} end) == {[:b, :c], true}
        assert tell(one, fn -> :erlang.send(three, :small, [:nosuspend]) end) == :ok
        assert tell(one, fn -> Node.ping(:c) end) == :pong
      end)
    end

    test "R-FLOW two messages of a megabyte are too many, one is not" do
      for {count, status} <- [{1, nil}, {2, {:status, :suspended}}] do
        run(fn ->
          start_isolated([:a, :b])
          two = recorder(:b)
          Cluster.partition([:a], [:b], :tcp)
          sender = flood(:a, two, count)
          settle()
          assert status(sender) == status
        end)
      end
    end

    test "R-FLOW when the network comes back all that was sent arrives, and the senders go on" do
      run(fn ->
        start_isolated([:a, :b])
        two = recorder(:b)
        Cluster.partition([:a], [:b], :tcp)
        sender = flood(:a, two, 5)
        Process.sleep(20_000)
        refute_received {:flooded, ^sender, _}
        Cluster.heal()
        receive do: ({:flooded, ^sender, _} -> settle())
        assert numbers(two) == [1, 2, 3, 4, 5]
      end)
    end

    test "R-FLOW a node that stands still takes no more either" do
      run(fn ->
        start_isolated([:a, :b])
        two = recorder(:b)
        Cluster.pause_node(:b)
        sender = flood(:a, two, 5)
        settle()
        assert status(sender) == {:status, :suspended}
        Cluster.resume_node(:b)
        receive do: ({:flooded, ^sender, _} -> settle())
        assert numbers(two) == [1, 2, 3, 4, 5]
      end)
    end

    # What has to wait as well, and what it comes to when the connection is lost.
    @signals [
      send: quote(do: fn pid -> send(pid, :small) end),
      send_to_name: quote(do: fn _pid -> send({:name, :b}, :small) end),
      monitor: quote(do: fn pid -> Process.monitor(pid) end),
      monitor_name: quote(do: fn _pid -> Process.monitor({:name, :b}) end),
      link: quote(do: fn pid -> Process.link(pid) end),
      exit: quote(do: fn pid -> Process.exit(pid, :normal) end),
      spawn: quote(do: fn _pid -> Node.spawn(:b, fn -> :ok end) end),
      spawn_request: quote(do: fn _pid -> :erlang.spawn_request(:b, fn -> :ok end) end),
      cast: quote(do: fn pid -> GenServer.cast(pid, :small) end)
    ]

    for {name, signal} <- @signals do
      test "R-FLOW #{name} has to wait until the connection is lost" do
        run(
          fn ->
            start_isolated([:a, :b], kernel: [net_ticktime: 4])
            [one, two] = for node <- [:a, :b], do: recorder(node)
            Cluster.partition([:a], [:b], :tcp)
            start = System.monotonic_time(:millisecond)
            flood(:a, two, 3)
            Process.sleep(500)
            signal = unquote(signal)
            let(one, fn -> signal.(two) && {Node.list(), System.monotonic_time(:millisecond)} end)
            assert {[], time} = told(one)
            assert (time - start) in 3_000..5_200
          end,
          seeds: 30
        )
      end
    end

    test "R-FLOW the time of a call is not up while its message has to wait" do
      run(
        fn ->
          start_isolated([:a, :b], kernel: [net_ticktime: 4])
          [one, two] = for node <- [:a, :b], do: recorder(node)
          warm(:a)
          Cluster.partition([:a], [:b], :tcp)
          sender = flood(:a, two, 3)
          Process.sleep(500)

          calls = [
            {{:badrpc, :nodedown}, fn -> :rpc.call(:b, :erlang, :node, [], 100) end},
            {:noconnection, fn -> catch_error(:erpc.call(:b, :erlang, :node, [], 100)) |> elem(1) end},
            {{:nodedown, :b}, fn -> catch_exit(GenServer.call({:name, :b}, :hello, 100)) |> elem(0) end}
          ]

          callers = for {_, call} <- calls, do: recorder(:a) |> tap(&let(&1, fn -> timed(call) end))
          answers = for caller <- callers, do: told(caller)
          assert Enum.map(answers, &elem(&1, 0)) == Enum.map(calls, &elem(&1, 0))
          assert Enum.all?(answers, fn {_answer, took} -> took > 2_000 end)

          # All that was sent is lost, and so is what comes after: the network is still silent.
          receive do: ({:flooded, ^sender, _} -> :ok)
          assert tell(one, fn -> Node.list() end) == []
          Cluster.heal()
          Process.sleep(20_000)
          assert numbers(two) in [[], [3]]
        end,
        max_stall: 0
      )
    end

    test "R-FLOW who waits for a connection can be killed" do
      run(fn ->
        start_isolated([:a, :b])
        two = recorder(:b)
        Cluster.partition([:a], [:b], :tcp)
        sender = flood(:a, two, 5)
        settle()
        monitor = Process.monitor(sender)
        Process.exit(sender, :kill)
        receive do: ({:DOWN, ^monitor, _, _, reason} -> assert(reason == :killed))
      end)
    end
  end
end
