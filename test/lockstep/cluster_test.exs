defmodule Lockstep.ClusterTest do
  use ExUnit.Case, async: true
  use Lockstep

  alias Lockstep.{Cluster, Runner}

  # Processes may be held back for longer than the usual 100 ms.
  @wait 60_000

  defp run(fun, options \\ []), do: Runner.run(fun, Keyword.merge([seeds: 20], options))

  # Answers its node's name to who asks, for ever.
  defp echo(test) do
    fn ->
      Process.register(self(), :echo)
      send(test, {:ready, node()})
      echo_loop()
    end
  end

  defp echo_loop do
    receive do
      {:ping, from, what} -> send(from, {:pong, node(), what})
    end

    echo_loop()
  end

  defp start_echo(nodes) do
    for node <- nodes, do: Cluster.spawn(node, echo(self()))
    for node <- nodes, do: assert_receive({:ready, ^node}, @wait)
  end

  describe "start_nodes/1 and the lists" do
    test "adds nodes once and returns their names" do
      run(fn ->
        assert Cluster.list() == [:nonode@nohost]
        assert Cluster.list_up() == []
        assert Cluster.start_nodes([:a, :b]) == [:a, :b]
        assert Cluster.start_nodes([:b, :c]) == [:b, :c]
        assert Cluster.list() == [:nonode@nohost, :a, :b, :c]
        assert Cluster.list_up() == [:a, :b, :c]
        assert Cluster.start_nodes([]) == []
      end)
    end

    test "a node that was stopped is listed, but not as up" do
      run(fn ->
        Cluster.start_nodes([:a, :b])
        assert Cluster.stop_node(:a) == :ok
        assert Cluster.list() == [:nonode@nohost, :a, :b]
        assert Cluster.list_up() == [:b]
        assert Cluster.start_nodes([:a]) == [:a]
        assert Cluster.list_up() == [:a, :b]
      end)
    end
  end

  describe "spawn/2 and node_of/0,1" do
    test "runs the function on the node" do
      run(fn ->
        [a, b] = Cluster.start_nodes([:a, :b])
        test = self()
        pid = Cluster.spawn(a, fn -> send(test, {node(), Node.self(), Cluster.node_of(), Node.list()}) end)
        assert_receive {:a, :a, :a, [^b]}, @wait
        assert Cluster.node_of(pid) == a
        assert node(pid) == a
        assert Cluster.node_of() == :nonode@nohost
        assert Cluster.node_of(self()) == :nonode@nohost
      end)
    end

    test "spawn_link/2 links" do
      run(fn ->
        Cluster.start_nodes([:a])
        Process.flag(:trap_exit, true)
        pid = Cluster.spawn_link(:a, fn -> exit(:boom) end)
        assert_receive {:EXIT, ^pid, :boom}, @wait
      end)
    end
  end

  describe "run/2" do
    test "returns the function's result" do
      run(fn ->
        Cluster.start_nodes([:a])
        assert Cluster.run(:a, fn -> {node(), 1 + 1} end) == {:a, 2}
        refute_receive _, 1
      end)
    end

    test "passes on how the function fails" do
      run(fn ->
        Cluster.start_nodes([:a])
        assert_raise ArithmeticError, fn -> Cluster.run(:a, fn -> div(1, :rand.uniform(1) - 1) end) end
        assert catch_exit(Cluster.run(:a, fn -> exit(:boom) end)) == :boom
        assert catch_throw(Cluster.run(:a, fn -> throw(:ball) end)) == :ball
        assert catch_exit(Cluster.run(:a, fn -> Process.exit(self(), :kill) end)) == :killed
      end)
    end

    test "exits when the node stops meanwhile" do
      run(fn ->
        Cluster.start_nodes([:a])

        spawn(fn ->
          Process.sleep(10)
          Cluster.stop_node(:a)
        end)

        # Held back for long, the caller finds the node stopped before it has started anything there.
        assert catch_exit(Cluster.run(:a, fn -> Process.sleep(:infinity) end)) in [:nodedown, :noconnection]
      end)
    end
  end

  describe "stop_node/1 and start_node/1" do
    test "all processes of the node die, monitors and watchers hear of it" do
      run(fn ->
        Cluster.start_nodes([:a, :b])
        pid = Cluster.spawn(:a, fn -> Process.sleep(:infinity) end)
        ref = Process.monitor(pid)
        Cluster.monitor_node(:a)
        Cluster.monitor_node(:a)
        Cluster.stop_node(:a)
        assert_receive {:DOWN, ^ref, :process, ^pid, :nodedown}, @wait
        assert_receive {:nodedown, :a}, @wait
        assert_receive {:nodedown, :a}, @wait
        refute_receive {:nodedown, :a}, 1
      end)
    end

    test "a node that is started again is empty, and old pids stay dead" do
      run(fn ->
        Cluster.start_nodes([:a])
        start_echo([:a])
        old = Cluster.run(:a, fn -> Process.whereis(:echo) end)
        Cluster.stop_node(:a)
        assert Cluster.start_node(:a) == :ok
        assert Cluster.start_node(:a) == :ok
        assert Cluster.run(:a, fn -> Process.whereis(:echo) end) == nil
        refute Cluster.run(:a, fn -> Process.alive?(old) end)
        send(old, {:ping, self(), 1})
        refute_receive _, 1
      end)
    end
  end

  describe "partition and heal/0" do
    test "as in the documentation: partition one from two, heal, verify" do
      run(fn ->
        [a, b, c] = Cluster.start_nodes([:a, :b, :c])
        start_echo([a, b, c])
        test = self()
        Cluster.partition([a], [b, c])

        Cluster.run(a, fn -> send({:echo, b}, {:ping, test, 1}) end)
        Cluster.run(b, fn -> send({:echo, c}, {:ping, test, 2}) end)
        assert_receive {:pong, ^c, 2}, @wait
        refute_receive {:pong, _, _}

        assert Cluster.heal() == :ok
        Cluster.run(a, fn -> send({:echo, b}, {:ping, test, 3}) end)
        assert_receive {:pong, ^b, 3}, @wait
        refute_receive {:pong, _, _}
      end)
    end

    test "deferred messages are delivered in order when the partition heals" do
      run(fn ->
        Cluster.start_nodes([:a, :b])
        test = self()

        collector =
          Cluster.spawn(:b, fn ->
            receive do: (:look -> :ok)
            {:messages, messages} = Process.info(self(), :messages)
            send(test, {:got, messages})
          end)

        Cluster.partition([:a], [:b], :defer)
        Cluster.run(:a, fn -> for n <- 1..5, do: send(collector, n) end)
        Cluster.heal()
        send(collector, :look)
        assert_receive {:got, [1, 2, 3, 4, 5]}, @wait
      end)
    end

    test "more than two groups, in one call or in several" do
      run(fn ->
        [a, b, c] = Cluster.start_nodes([:a, :b, :c])
        start_echo([a, b, c])
        test = self()
        Cluster.partition([[a], [b], [c]])

        for from <- [a, b, c],
            to <- [a, b, c],
            do: Cluster.run(from, fn -> send({:echo, to}, {:ping, test, from}) end)

        for node <- [a, b, c], do: assert_receive({:pong, ^node, ^node}, @wait)
        refute_receive {:pong, _, _}
      end)
    end

    test "monitors across a partition fire after the tick time" do
      run(
        fn ->
          Cluster.start_nodes([:a, :b])
          Cluster.set_ticktime(200)
          target = Cluster.spawn(:b, fn -> Process.sleep(:infinity) end)
          Cluster.partition([:a], [:b])

          {reason, waited} =
            Cluster.run(:a, fn ->
              ref = Process.monitor(target)
              from = Lockstep.now()

              receive do
                {:DOWN, ^ref, :process, ^target, reason} -> {reason, Lockstep.now() - from}
              end
            end)

          assert reason == :noconnection
          assert waited <= 300
          assert Process.alive?(self())
        end,
        max_stall: 0
      )
    end
  end
end
