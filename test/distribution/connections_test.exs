Code.require_file("support.exs", __DIR__)

defmodule Distribution.ConnectionsTest do
  @moduledoc """
  How connections between nodes come to be, and who may connect: each rule on simulated nodes, over many seeds. What real
  nodes do is in `test/oracle`.
  """
  use ExUnit.Case, async: true
  use Lockstep

  import Distribution.Support

  alias Lockstep.Cluster

  defmodule Server do
    use GenServer
    def init(state), do: {:ok, state}
    def handle_call(:node, _from, state), do: {:reply, node(), state}
    def handle_cast(_message, state), do: {:noreply, state}
  end

  # Neither of the two has ever been connected.
  defp two(options \\ []), do: start_isolated([:a, :b], [connect: false] ++ options)

  describe "R-CON1 what connects by itself" do
    operations = [
      send: &__MODULE__.op_send/1,
      send_to_name: &__MODULE__.op_send_to_name/1,
      monitor: &__MODULE__.op_monitor/1,
      monitor_name: &__MODULE__.op_monitor_name/1,
      link: &__MODULE__.op_link/1,
      exit: &__MODULE__.op_exit/1,
      spawn: &__MODULE__.op_spawn/1,
      spawn_monitor: &__MODULE__.op_spawn_monitor/1,
      monitor_node: &__MODULE__.op_monitor_node/1,
      ping: &__MODULE__.op_ping/1,
      rpc: &__MODULE__.op_rpc/1,
      erpc: &__MODULE__.op_erpc/1,
      call: &__MODULE__.op_call/1,
      cast: &__MODULE__.op_cast/1
    ]

    for {name, operation} <- operations do
      test "R-CON1 #{name} connects" do
        run(fn -> assert connects(unquote(operation)) == [[:b], [:a]] end, seeds: 50)
      end
    end

    others = [
      node: &__MODULE__.op_node/1,
      known: &__MODULE__.op_known/1,
      no_monitor_node: &__MODULE__.op_no_monitor_node/1,
      noconnect: &__MODULE__.op_noconnect/1,
      disconnect: &__MODULE__.op_disconnect/1,
      self: &__MODULE__.op_exit_self/1
    ]

    for {name, operation} <- others do
      test "R-CON1 #{name} does not connect" do
        run(fn -> assert connects(unquote(operation)) == [[], []] end, seeds: 50)
      end
    end
  end

  defp connects(operation) do
    two()
    server = start_server(:b)
    recorder = recorder(:a)
    tell(recorder, fn -> operation.(server) end)
    settle()
    lists([:a, :b])
  end

  defp start_server(node) do
    test = self()

    Cluster.spawn(node, fn ->
      {:ok, server} = GenServer.start_link(Server, nil, name: :server)
      send(test, {:server, server})
      Process.sleep(:infinity)
    end)

    receive do: ({:server, server} -> server)
  end

  def op_send(server), do: send(server, :hello)
  def op_send_to_name(_server), do: send({:server, :b}, :hello)
  def op_monitor(server), do: Process.monitor(server)
  def op_monitor_name(_server), do: Process.monitor({:server, :b})
  def op_link(server), do: Process.link(server)
  def op_exit(server), do: Process.exit(server, :normal)
  def op_spawn(_server), do: Node.spawn(:b, fn -> :ok end)
  def op_spawn_monitor(_server), do: Node.spawn_monitor(:b, fn -> :ok end)
  def op_monitor_node(_server), do: Node.monitor(:b, true)
  def op_ping(_server), do: Node.ping(:b)
  def op_rpc(_server), do: :rpc.call(:b, :erlang, :node, [])
  def op_erpc(_server), do: :erpc.call(:b, :erlang, :node, [])
  def op_call(server), do: GenServer.call(server, :node)
  def op_cast(server), do: GenServer.cast(server, :nothing)

  def op_node(server), do: node(server)
  def op_known(_server), do: Node.list(:known)
  def op_no_monitor_node(_server), do: Node.monitor(:b, false)
  def op_noconnect(server), do: Process.send(server, :hello, [:noconnect])
  def op_disconnect(_server), do: Node.disconnect(:b)
  def op_exit_self(_server), do: Process.exit(self(), :normal)

  test "R-CON2 a connection is set up asynchronously, and signals wait for it in order" do
    run(
      fn ->
        two()
        Cluster.set_latency(:a, :b, 400..400)
        receiver = recorder(:b, fn -> :net_kernel.monitor_nodes(true) end)

        body = fn ->
          for(number <- 1..100, do: send(receiver, number)) && Node.list()
        end

        assert {[], took} = timed(fn -> Cluster.run(:a, body) end)
        assert took < 400
        settle()
        assert log(receiver) == [{:nodeup, :a} | Enum.to_list(1..100)]
      end,
      max_stall: 0
    )
  end

  test "R-CON2 what waits for a connection that fails is dropped, and monitors and links hear of it" do
    run(fn ->
      two(cookie: :red)
      target = recorder(:b)
      Cluster.run(:b, fn -> :erlang.set_cookie(:blue) end)

      recorder =
        recorder(:a, fn ->
          for number <- 1..10, do: send(target, number)
          Process.link(target)
          Process.monitor(target)
        end)

      settle()
      assert [{:EXIT, ^target, :noconnection}, {:DOWN, _, :process, ^target, :noconnection}] = log(recorder)
      Cluster.run(:b, fn -> :erlang.set_cookie(:red) end)
      Cluster.run(:a, fn -> send(target, :after) end)
      settle()
      assert log(target) == [:after]
    end)
  end

  test "R-CON3 a refused set-up fails at once" do
    run(
      fn ->
        start_isolated([:a, :b])
        Cluster.stop_node(:b)
        Cluster.set_latency(0..0)
        warm(:a)

        Cluster.run(:a, fn ->
          for name <- [:b, :never_started] do
            assert timed(fn -> Node.connect(name) end) == {false, 0}
            assert timed(fn -> Node.ping(name) end) == {:pang, 0}
          end
        end)
      end,
      max_stall: 0
    )
  end

  test "R-CON3 a set-up that nobody answers fails after 7 s" do
    run(
      fn ->
        two()
        target = recorder(:b)
        Cluster.partition([:a], [:b], :tcp)

        tries = [
          {false, fn -> Node.connect(:b) end},
          {{:badrpc, :nodedown}, fn -> :rpc.call(:b, :erlang, :node, []) end},
          {:noconnection, fn -> Process.monitor(target) && receive(do: ({:DOWN, _, _, _, why} -> why)) end},
          {:nodedown, fn -> Node.monitor(:b, true) && receive(do: ({what, :b} -> what)) end},
          {:pang, fn -> Node.ping(:b) end}
        ]

        for {expected, body} <- tries do
          assert {^expected, took} = timed(fn -> Cluster.run(:a, body) end)
          # Something that a node has from the start may have to be started.
          assert took in 7_000..7_002
          assert lists([:a, :b]) == [[], []]
        end
      end,
      max_stall: 0
    )
  end

  test "R-CON4 nothing reconnects by itself" do
    run(fn ->
      start_isolated([:a, :b], kernel: [net_ticktime: 4])
      target = recorder(:b)
      Cluster.partition([:a], [:b], :tcp)
      Process.sleep(10_000)
      assert lists([:a, :b]) == [[], []]
      Cluster.heal()
      Process.sleep(60_000)
      assert lists([:a, :b]) == [[], []]
      Cluster.run(:a, fn -> send(target, :hello) end)
      settle()
      assert lists([:a, :b]) == [[:b], [:a]]
      assert log(target) == [:hello]
    end)
  end

  test "R-CON5 what connecting, disconnecting and pinging return" do
    run(fn ->
      two()

      Cluster.run(:a, fn ->
        assert Node.connect(:b) == true
        assert Node.connect(:b) == true
        assert Node.connect(:a) == true
        assert Node.connect(:unknown) == false
        assert Node.disconnect(:b) == true
        assert Node.disconnect(:b) == false
        assert Node.disconnect(:a) == false
        assert Node.disconnect(:unknown) == false
        assert Node.ping(:b) == :pong
        assert Node.ping(:a) == :pong
        assert Node.ping(:unknown) == :pang
        assert :net_kernel.connect_node(:b) == true
      end)
    end)
  end

  test "R-CON6 disconnect_node is synchronous for the caller" do
    run(fn ->
      start_isolated([:a, :b])
      target = recorder(:b)
      other = recorder(:b, fn -> :net_kernel.monitor_nodes(true) end)
      caller = recorder(:a)

      for _ <- 1..3 do
        seen =
          tell(caller, fn ->
            :net_kernel.monitor_nodes(true)
            Process.link(target)
            Process.monitor(target)
            Node.monitor(:b, true)
            assert Node.disconnect(:b)
            assert Node.list() == []
            :net_kernel.monitor_nodes(false)
            seen = flush()
            assert Node.connect(:b)
            assert Node.list() == [:b]
            seen
          end)

        assert [
                 {:EXIT, ^target, :noconnection},
                 {:DOWN, _, :process, ^target, :noconnection},
                 {:nodedown, :b},
                 {:nodedown, :b}
               ] = seen
      end

      settle()
      assert log(other) == for(_ <- 1..3, event <- [:nodedown, :nodeup], do: {event, :a})
    end)
  end

  test "R-CON6 the other side learns of it later" do
    lists = fn ->
      start_isolated([:a, :b])
      Cluster.run(:a, fn -> Node.disconnect(:b) end)
      Cluster.run(:b, fn -> Node.list() end)
    end

    assert outcomes(lists) == [[], [:a]]
  end

  test "R-CON7 send with options to a node that is not connected" do
    run(fn ->
      two()
      target = recorder(:b)
      recorder = recorder(:a)
      assert tell(recorder, fn -> :erlang.send(target, :dropped, [:noconnect]) end) == :noconnect
      assert tell(recorder, fn -> :erlang.send({:name, :b}, :dropped, [:noconnect]) end) == :noconnect
      assert tell(recorder, fn -> :erlang.send_nosuspend(target, :dropped, [:noconnect]) end) == false
      assert tell(recorder, fn -> Node.list() end) == []
      assert tell(recorder, fn -> :erlang.send(target, :arrives, [:nosuspend]) end) == :ok
      settle()
      assert log(target) == [:arrives]
      assert lists([:a, :b]) == [[:b], [:a]]
      assert tell(recorder, fn -> :erlang.send(target, :too, [:noconnect]) end) == :ok
      settle()
      assert log(target) == [:arrives, :too]
    end)
  end

  test "R-CON8 dist_auto_connect never" do
    run(fn ->
      two(kernel: [dist_auto_connect: :never])
      target = recorder(:b)

      recorder =
        recorder(:a, fn ->
          send(target, :dropped)
          assert Node.ping(:b) == :pang
          Process.monitor(target)
          assert Node.list() == []
        end)

      settle()
      assert [{:DOWN, _, :process, ^target, :noconnection}] = log(recorder)

      assert tell(recorder, fn -> {Node.connect(:b), send(target, :arrives), Node.ping(:b)} end) ==
               {true, :arrives, :pong}

      settle()
      assert log(target) == [:arrives]
    end)
  end

  test "R-CON8 dist_auto_connect once" do
    run(fn ->
      two(kernel: [dist_auto_connect: :once])
      target = recorder(:b)
      recorder = recorder(:a, fn -> send(target, :arrives) end)
      settle()
      assert lists([:a, :b]) == [[:b], [:a]]
      tell(recorder, fn -> Node.disconnect(:b) end)
      settle()

      assert tell(recorder, fn -> {send(target, :dropped), Node.ping(:b), Node.list()} end) == {:dropped, :pang, []}
      assert tell(recorder, fn -> {Node.connect(:b), send(target, :connected)} end) == {true, :connected}
      settle()
      assert log(target) == [:arrives, :connected]
    end)
  end

  test "R-CON9 different cookies" do
    run(
      fn ->
        start_isolated([:a], cookie: :red, connect: false)
        start_isolated([:b], cookie: :blue, connect: false)
        assert {false, took} = timed(fn -> Cluster.run(:a, fn -> Node.connect(:b) end) end)
        assert took < 100
        assert lists([:a, :b]) == [[], []]
        # The cookie for one node alone, on one of the two.
        Cluster.run(:a, fn -> Node.set_cookie(:b, :blue) end)
        assert Cluster.run(:a, fn -> Node.connect(:b) end) == true
      end,
      max_stall: 0
    )
  end

  test "R-CON9 a cookie that changes does not cut a connection" do
    run(fn ->
      start_isolated([:a, :b])
      target = recorder(:b)
      Cluster.run(:a, fn -> Node.set_cookie(:another) && send(target, :arrives) end)
      settle()
      assert log(target) == [:arrives]
      assert lists([:a, :b]) == [[:b], [:a]]
      Cluster.disconnect(:a, :b)
      assert Cluster.run(:a, fn -> Node.connect(:b) end) == false
    end)
  end

  test "R-CON10 nodes that are not allowed" do
    run(fn ->
      start_isolated([:a, :b, :c], connect: false)

      Cluster.run(:a, fn ->
        assert :net_kernel.allow([:c]) == :ok
        assert Node.connect(:b) == false
        assert Node.connect(:c) == true
        assert Node.ping(:b) == :pang
        assert Node.list() == [:c]
      end)

      # They may not connect to it either.
      assert Cluster.run(:b, fn -> Node.connect(:a) end) == false
    end)
  end

  test "R-CON11 one side reconnects before the other has noticed that the connection is dead" do
    half_open = fn ->
      start_isolated([:a])
      start_isolated([:b], kernel: [net_ticktime: 4])
      target = recorder(:b)

      subscriber =
        recorder(:a, fn ->
          :net_kernel.monitor_nodes(true, [:nodedown_reason])
          Process.link(target)
          Process.monitor(target)
        end)

      settle()
      Cluster.partition([:a], [:b], :tcp)
      tell(subscriber, fn -> for number <- 1..10, do: send(target, number) end)
      Process.sleep(10_000)
      assert {lists([:a, :b]), log(subscriber)} == {[[:b], []], []}
      Cluster.heal()
      Cluster.run(:b, fn -> send(subscriber, :hello) end)
      settle()
      assert lists([:a, :b]) == [[:b], [:a]]
      assert [{:EXIT, ^subscriber, :noconnection}] = log(target)

      assert [
               {:EXIT, ^target, :noconnection},
               {:DOWN, _, :process, ^target, :noconnection},
               {:nodedown, :b, [nodedown_reason: reason]},
               {:nodeup, :b, []},
               :hello
             ] = log(subscriber)

      reason
    end

    # The other side's end of the old connection and its wish for a new one race.
    assert outcomes(half_open, seeds: 1..500) == [:connection_closed, :wait_pending]
  end

  test "R-CON12 both connect at the same time" do
    both = fn ->
      Cluster.start_nodes([:a, :b], connect: false)
      recorders = for node <- [:a, :b], do: recorder(node, fn -> :net_kernel.monitor_nodes(true) end)
      for {recorder, other} <- Enum.zip(recorders, [:b, :a]), do: let(recorder, fn -> Node.connect(other) end)
      answers = for recorder <- recorders, do: told(recorder)
      settle()
      {answers, for(recorder <- recorders, do: log(recorder))}
    end

    assert outcomes(both) == [{[true, true], [[{:nodeup, :b}], [{:nodeup, :a}]]}]
  end

  test "R-CON13 who connects to one connects to all" do
    run(
      fn ->
        Cluster.start_nodes([:a, :b, :c], connect: false)
        assert Cluster.run(:a, fn -> {Node.connect(:b), Node.connect(:c)} end) == {true, true}
        settle()
        assert lists([:a, :b, :c]) == [[:b, :c], [:a, :c], [:a, :b]]
      end,
      seeds: 50
    )
  end

  test "R-CON13 not with connect_all false" do
    run(
      fn ->
        start_isolated([:a, :b, :c], connect: false)
        assert Cluster.run(:a, fn -> {Node.connect(:b), Node.connect(:c)} end) == {true, true}
        settle()
        assert lists([:a, :b, :c]) == [[:b, :c], [:a], [:a]]
      end,
      seeds: 50
    )
  end

  test "R-CON14 a hidden node" do
    run(
      fn ->
        start_isolated([:a, :b])
        start_isolated([:hidden], hidden: true, connect: false)
        plain = recorder(:a, fn -> :net_kernel.monitor_nodes(true) end)
        all = recorder(:a, fn -> :net_kernel.monitor_nodes(true, node_type: :all) end)
        only = recorder(:a, fn -> :net_kernel.monitor_nodes(true, node_type: :hidden) end)
        assert Cluster.run(:hidden, fn -> Node.connect(:a) end)
        settle()

        kinds = fn -> for kind <- [:visible, :hidden, :connected], do: Enum.sort(Node.list(kind)) end
        seen = for node <- [:a, :b, :hidden], do: Cluster.run(node, kinds)
        assert seen == [[[:b], [:hidden], [:b, :hidden]], [[:a], [], [:a]], [[], [:a], [:a]]]

        Cluster.run(:hidden, fn -> Node.disconnect(:a) end)
        settle()
        assert log(plain) == []
        events = [{:nodeup, :hidden, [node_type: :hidden]}, {:nodedown, :hidden, [node_type: :hidden]}]
        assert log(all) == events
        assert log(only) == events
        assert lists([:a, :b]) == [[:b], [:a]]
      end,
      seeds: 50
    )
  end

  test "R-CON15 nodes(known) keeps every node ever named" do
    run(fn ->
      start_isolated([:a, :b])
      assert Cluster.run(:a, fn -> Enum.sort(Node.list(:known)) end) == [:a, :b, :nonode@nohost]

      Cluster.run(:a, fn ->
        Node.disconnect(:b)
        Node.ping(:nobody)
        assert Enum.sort(Node.list(:known)) == [:a, :b, :nobody, :nonode@nohost]
        assert Node.list() == []
      end)
    end)
  end
end
