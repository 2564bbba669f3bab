defmodule Lockstep.Cluster.NodesTest do
  use ExUnit.Case, async: true
  use Lockstep

  alias Lockstep.{Cluster, ClusterError, Runner}

  @wait 300_000

  defp run(fun, options \\ []), do: Runner.run(fun, Keyword.merge([seeds: 20, escapes: :raise], options))

  defp lists(nodes), do: for(node <- nodes, do: Cluster.run(node, fn -> Enum.sort(Node.list()) end))

  # Sends the test all that it gets.
  defp forwarder(node) do
    test = self()

    pid =
      Cluster.spawn(node, fn ->
        Process.register(self(), :forwarder)
        :net_kernel.monitor_nodes(true)
        send(test, :forwards)
        forward(test)
      end)

    assert_receive :forwards, @wait
    pid
  end

  defp forward(test) do
    receive do: (message -> send(test, {:got, message}))
    forward(test)
  end

  describe "crash_node/1" do
    test "delivers a prefix of what was sent, then the others hear of it" do
      seen =
        for seed <- 1..40, into: MapSet.new() do
          test = self()
          run(fn -> crash_while_sending(&Lockstep.host(fn -> send(test, {seed, &1}) end)) end, seeds: [seed])
          receive(do: ({^seed, count} -> count))
        end

      assert 30 in seen
      assert Enum.any?(seen, &(&1 < 30))
    end

    defp crash_while_sending(tell) do
      Cluster.start_nodes([:a, :b])
      forwarder(:a)
      test = self()

      Cluster.spawn(:b, fn ->
        for n <- 1..30, do: send({:forwarder, :a}, n)
        send(test, :sent)
        Process.sleep(:infinity)
      end)

      assert_receive :sent, @wait
      assert Cluster.crash_node(:b) == :ok
      got = got_until({:nodedown, :b})
      assert got == Enum.take(1..30, length(got))
      tell.(length(got))
    end

    defp got_until(last) do
      receive do
        {:got, ^last} -> []
        {:got, message} -> [message | got_until(last)]
      end
    end

    test "lets monitors and links fire with :noconnection; nothing runs on it afterwards" do
      run(fn ->
        Cluster.start_nodes([:a, :b])
        test = self()

        victim =
          Cluster.spawn(:b, fn ->
            Process.flag(:trap_exit, true)

            try do
              Process.sleep(:infinity)
            after
              send(test, :cleaned_up)
            end
          end)

        Cluster.spawn(:a, fn ->
          Process.flag(:trap_exit, true)
          Process.link(victim)
          ref = Process.monitor(victim)
          send(test, :ready)
          assert_receive {:EXIT, ^victim, :noconnection}, @wait
          assert_receive {:DOWN, ^ref, :process, ^victim, :noconnection}, @wait
          send(test, :told)
        end)

        assert_receive :ready, @wait
        Cluster.crash_node(:b)
        assert_receive :told, @wait
        refute_received :cleaned_up
        assert Cluster.list_up() == [:a]
      end)
    end

    test "twice, or of a node that was stopped, does nothing" do
      run(fn ->
        Cluster.start_nodes([:a, :b])
        assert Cluster.crash_node(:a) == :ok
        assert Cluster.crash_node(:a) == :ok
        assert Cluster.stop_node(:a) == :ok
        assert Cluster.stop_node(:b) == :ok
        assert Cluster.crash_node(:b) == :ok
        assert Cluster.list_up() == []
      end)
    end

    test "and stop_node/1 can be called by a process of the node itself" do
      for end_node <- [&Cluster.crash_node/1, &Cluster.stop_node/1] do
        run(fn ->
          Cluster.start_nodes([:a, :b])
          test = self()
          ref = Process.monitor(Cluster.spawn(:a, fn -> end_node.(node()) && send(test, :still_there) end))
          assert_receive {:DOWN, ^ref, :process, _, reason}, @wait
          assert reason in [:noconnection, :nodedown, :killed]
          refute_receive :still_there
          assert Cluster.list_up() == [:b]
        end)
      end
    end

    test "makes run/2 exit that waits for a process there" do
      run(fn ->
        Cluster.start_nodes([:a])
        Cluster.spawn(:nonode@nohost, fn -> Process.sleep(10) && Cluster.crash_node(:a) end)
        assert catch_exit(Cluster.run(:a, fn -> Process.sleep(:infinity) end)) == :noconnection
      end)
    end
  end

  describe "start_nodes/2 and start_node/2" do
    test "connect the nodes, or not" do
      run(fn ->
        Cluster.start_nodes([:a, :b])
        Cluster.start_nodes([:c], connect: false)
        assert lists([:a, :b, :c]) == [[:b], [:a], []]
        Cluster.crash_node(:b)
        Cluster.start_node(:b, connect: false)
        assert Cluster.run(:b, fn -> Node.list() end) == []
        Cluster.stop_node(:c)
        Cluster.start_node(:c)
        assert lists([:b, :c]) == [[:c], [:a, :b]]
      end)
    end

    test "start hidden nodes" do
      run(fn ->
        Cluster.start_nodes([:a, :b])
        Cluster.start_nodes([:h], hidden: true)
        here = fn -> {Node.list(), Node.list(:hidden), Enum.sort(Node.list(:connected))} end
        assert Cluster.run(:a, here) == {[:b], [:h], [:b, :h]}
        assert Cluster.run(:h, here) == {[], [:a, :b], [:a, :b]}
      end)
    end

    test "give nodes a cookie, and connect those with the same one" do
      run(fn ->
        Cluster.start_nodes([:a])
        Cluster.start_nodes([:b, :c], cookie: :secret)
        assert lists([:a, :b, :c]) == [[], [:c], [:b]]
        assert Cluster.run(:a, fn -> Node.connect(:b) end) == false
        assert Cluster.run(:b, fn -> :erlang.get_cookie() end) == :secret
      end)
    end

    test "give nodes an environment" do
      run(fn ->
        env = [lockstep: [colour: :green], kernel: [net_ticktime: 4, dist_auto_connect: :never]]
        Cluster.start_nodes([:a, :b], env: env, connect: false)
        Cluster.start_nodes([:c], connect: false)
        colour = fn -> {Application.get_env(:lockstep, :colour), :net_kernel.get_net_ticktime()} end
        assert Cluster.run(:a, colour) == {:green, 4}
        assert Cluster.run(:c, colour) == {nil, 60}
        assert Cluster.run(:a, fn -> {Node.ping(:b), Node.connect(:b), Node.ping(:b)} end) == {:pang, true, :pong}
      end)
    end

    test "run a function on the node, whose process stays" do
      run(fn ->
        start = fn -> {:ok, _} = Agent.start_link(fn -> {node(), 1} end, name: :counter) end
        Cluster.start_nodes([:a, :b], start: start)
        assert Agent.get({:counter, :a}, & &1) == {:a, 1}
        Agent.update({:counter, :b}, fn {node, n} -> {node, n + 1} end)
        Cluster.crash_node(:b)
        Cluster.start_node(:b, start)
        assert Agent.get({:counter, :b}, & &1) == {:b, 1}
        Cluster.stop_node(:b)
        Cluster.start_node(:b)
        assert Cluster.run(:b, fn -> Process.whereis(:counter) end) == nil
      end)
    end

    test "start an application with all that it needs" do
      run(fn ->
        Cluster.start_nodes([:a, :b], start: :xmerl)
        started = fn -> for({name, _, _} <- Application.started_applications(), do: name) end
        assert :xmerl in Cluster.run(:b, started)
        Cluster.stop_node(:a)
        Cluster.start_node(:a)
        refute :xmerl in Cluster.run(:a, started)
      end)
    end

    test "fail as the function fails, and the node is up then" do
      run(
        fn ->
          assert_raise(RuntimeError, "no", fn -> Cluster.start_nodes([:a], start: fn -> raise "no" end) end)
          assert catch_exit(Cluster.start_nodes([:b], start: fn -> exit(:no) end)) == :no
          assert_raise ClusterError, fn -> Cluster.start_nodes([:c], start: :no_such_application) end
          assert Cluster.list_up() == [:a, :b, :c]
        end,
        fail_on: []
      )
    end

    test "by several processes at once start a node once" do
      run(fn ->
        test = self()
        start = fn -> send(test, {:started, node()}) && Process.sleep(20) end
        tasks = for _ <- 1..5, do: Task.async(fn -> Cluster.start_nodes([:a, :b], start: start) end)
        assert Enum.uniq(Task.await_many(tasks, @wait)) == [[:a, :b]]
        assert Cluster.list_up() == [:a, :b]
        assert_receive {:started, :a}, @wait
        assert_receive {:started, :b}, @wait
        refute_receive {:started, _}
      end)
    end

    test "leave what is on a node alone that somebody else has just started" do
      run(fn ->
        Cluster.start_nodes([:a])
        Cluster.stop_node(:a)

        keep = fn -> :persistent_term.put(:kept, 1) && Process.sleep(5) end
        tasks = for start <- [keep, keep, keep], do: Task.async(fn -> Cluster.start_node(:a, start) end)
        Task.await_many(tasks, @wait)
        assert Cluster.run(:a, fn -> :persistent_term.get(:kept, nil) end) == 1
      end)
    end

    test "go on where who was starting the node is killed" do
      run(fn ->
        Cluster.start_nodes([:b])
        starter = Cluster.spawn(:b, fn -> Cluster.start_nodes([:a], start: fn -> Process.sleep(:infinity) end) end)
        Process.sleep(10)
        Process.exit(starter, :kill)
        Process.sleep(10)
        if :a in Cluster.list_up(), do: Cluster.crash_node(:a)
        Cluster.start_nodes([:a])
        assert Cluster.list_up() -- [:b] == [:a]
      end)
    end

    test "start from a node that is cut off from the others" do
      run(fn ->
        Cluster.start_nodes([:a, :b])
        Cluster.crash_node(:b)
        Cluster.partition([:a], [:b])
        start = fn -> {:ok, _} = Agent.start_link(fn -> 1 end, name: :one) end
        assert Cluster.run(:a, fn -> Cluster.start_node(:b, start) end) == :ok
        assert Cluster.run(:b, fn -> Agent.get(:one, & &1) end) == 1
      end)
    end
  end

  describe "run/2 between nodes" do
    test "does not need the network" do
      for mode <- [:drop, :defer, :tcp] do
        run(fn ->
          Cluster.start_nodes([:a, :b])
          Cluster.partition([:a], [:b], mode)
          assert Cluster.run(:a, fn -> Cluster.run(:b, fn -> {node(), Node.list()} end) end) == {:b, [:a]}
          assert Cluster.run(:a, fn -> catch_exit(Cluster.run(:b, fn -> exit(:boom) end)) end) == :boom
          assert Cluster.run(:a, fn -> Cluster.run(:a, fn -> node() end) end) == :a
          assert Cluster.run(:a, fn -> Cluster.run(:nonode@nohost, fn -> node() end) end) == :nonode@nohost
        end)
      end
    end

    test "hears of the end of the node" do
      run(fn ->
        Cluster.start_nodes([:a, :b])
        Cluster.partition([:a], [:b])
        Cluster.spawn(:nonode@nohost, fn -> Process.sleep(1000) && Cluster.crash_node(:b) end)
        waiting = fn -> catch_exit(Cluster.run(:b, fn -> Process.sleep(:infinity) end)) end
        assert Cluster.run(:a, waiting) == :noconnection
      end)
    end
  end
end
