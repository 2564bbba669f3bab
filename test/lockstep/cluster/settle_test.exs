defmodule Lockstep.Cluster.SettleTest do
  use ExUnit.Case, async: true
  use Lockstep

  alias Lockstep.{Cluster, ClusterError, Runner}

  defp run(fun, options \\ []), do: Runner.run(fun, Keyword.merge([seeds: 20, escapes: :raise], options))

  defp lists(nodes), do: for(node <- nodes, do: Cluster.run(node, fn -> Enum.sort(Node.list()) end))

  test "heals, releases, resumes, restarts and connects" do
    run(fn ->
      Cluster.start_nodes([:a, :b, :c, :d], start: fn -> {:ok, _} = Agent.start_link(fn -> 0 end, name: :agent) end)
      Cluster.crash_node(:a)
      Cluster.stop_node(:b)
      Cluster.pause_node(:c)
      Cluster.partition([:a, :b], [:c, :d], :tcp)
      Cluster.partition_oneway(:a, :b, :drop)
      Process.sleep(100_000)
      assert Cluster.settle() == :ok
      assert lists([:a, :b, :c, :d]) == [[:b, :c, :d], [:a, :c, :d], [:a, :b, :d], [:a, :b, :c]]
      # As they were started.
      for node <- [:a, :b], do: assert(Agent.get({:agent, node}, & &1) == 0)
    end)
  end

  test "waits until all that is under way has arrived" do
    run(fn ->
      Cluster.start_nodes([:a, :b])
      Cluster.set_latency(2_000..3_000)
      test = self()
      b = Cluster.spawn(:b, fn -> for _ <- 1..5, do: receive(do: (n -> send(test, n))) end)
      Cluster.hold(:a, :b)
      Cluster.run(:a, fn -> for n <- 1..5, do: send(b, n) end)
      Cluster.settle()
      for n <- 1..5, do: assert_received(^n)
    end)
  end

  test "takes quiet: where nothing happens, and within: where it never ends" do
    run(
      fn ->
        Cluster.start_nodes([:a, :b])
        from = Lockstep.now()
        Cluster.settle(quiet: 300)
        assert (Lockstep.now() - from) in 300..350
        Cluster.set_latency(30..40)
        b = Cluster.spawn(:b, fn -> Process.sleep(:infinity) end)
        Cluster.spawn(:a, fn -> gossip(b) end)
        from = Lockstep.now()
        Cluster.settle(within: 7_000)
        assert (Lockstep.now() - from) in 7_000..7_050
        from = Lockstep.now()
        assert Cluster.settle(quiet: 0) == :ok
        assert Cluster.settle(within: 0) == :ok
        assert Lockstep.now() == from
      end,
      max_stall: 0
    )
  end

  defp gossip(to) do
    send(to, :gossip)
    Process.sleep(20)
    gossip(to)
  end

  test "leaves nodes apart whose cookies differ" do
    run(fn ->
      Cluster.start_nodes([:a, :b])
      Cluster.start_nodes([:c], cookie: :other)
      Cluster.partition([[:a], [:b], [:c]])
      Cluster.settle()
      assert lists([:a, :b, :c]) == [[:b], [:a], []]
    end)
  end

  test "raises if a node cannot be started again" do
    run(fn ->
      {:ok, starts} = Agent.start_link(fn -> 0 end)
      start = fn -> if Agent.get_and_update(starts, &{&1, &1 + 1}) > 0, do: raise("once only") end

      Cluster.start_nodes([:a], start: start)
      Cluster.crash_node(:a)
      assert_raise RuntimeError, "once only", fn -> Cluster.settle() end
    end)
  end

  test "can be called by several at once, and on a node" do
    run(fn ->
      Cluster.start_nodes([:a, :b, :c], start: fn -> Process.sleep(10) end)
      Cluster.crash_node(:c)
      Cluster.partition([:a], [:b])
      callers = for node <- [:a, :b, :nonode@nohost], do: Cluster.spawn(node, &Cluster.settle/0)
      refs = for pid <- callers, do: Process.monitor(pid)
      for ref <- refs, do: assert_receive({:DOWN, ^ref, :process, _, :normal}, 300_000)
      assert lists([:a, :b, :c]) == [[:b, :c], [:a, :c], [:a, :b]]
    end)
  end

  test "does nothing in a cluster without nodes" do
    run(fn -> assert Cluster.settle() == :ok end)
  end

  test "says what is wrong with its options" do
    run(fn ->
      assert %ClusterError{reason: {:unknown_option, :silent, [:quiet, :within]}} =
               catch_error(Cluster.settle(silent: 1))
    end)
  end
end
