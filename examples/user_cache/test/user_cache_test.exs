Code.require_file("../../example.exs", __DIR__)
Code.require_file("scenario.exs", __DIR__)

defmodule UserCacheTest do
  use Lockstep.Case, async: true

  import Example, only: [find: 1]
  import UserCacheScenario

  alias Lockstep.Cluster
  alias UserCache.Sync.{Members, Nodes}

  @moduletag timeout: 300_000

  # The one test that is meant to fail, to see the report: `mix test --only gap`.
  @tag :gap
  @tag lockstep: [seeds: 1..500]
  test "the caches are equal after a cut, if a node is sent everything when it comes" do
    cut(Nodes)
  end

  describe "if nothing is sent again" do
    test "a cache that was cut off stays without what was written meanwhile" do
      assert %ExUnit.AssertionError{} = find(fn -> cut(nil) end)
    end

    test "a cache that is added stays without what was written before" do
      assert %ExUnit.AssertionError{} = find(fn -> added(nil) end)
    end
  end

  describe "if a node is sent everything when it comes" do
    test "what is written before its cache is back in the group is missed" do
      assert %ExUnit.AssertionError{} = find(fn -> cut(Nodes) end)
    end

    test "a cache that is added may miss everything, as it comes later than its node" do
      assert %ExUnit.AssertionError{} = find(fn -> added(Nodes) end)
    end
  end

  describe "if a cache is sent everything when it comes into the group" do
    @tag lockstep: [seeds: 1..500]
    test "it is equal after a cut" do
      cut(Members)
    end

    @tag lockstep: [seeds: 1..500]
    test "it is equal after it was added" do
      added(Members)
    end

    @tag lockstep: [seeds: 1..500]
    test "it is equal to the others that are left when one crashes" do
      crash(Members)
    end

    @tag lockstep: [seeds: 1..500]
    test "it is equal after users were written on both sides of a cut" do
      both_sides(Members)
    end
  end

  describe "a cluster with faults" do
    @faults [partition: true, crash: [max: 2, restart: true], latency: 0..50]

    @tag lockstep: [seeds: 1..300, faults: @faults]
    test "has equal caches when they are over" do
      # Without the mesh of `:global`, which may come to no end after a partition (docs/global-livelock.md).
      env = [kernel: [connect_all: false], user_cache: [sync: Members]]
      nodes = Cluster.start_nodes([:n1, :n2, :n3], env: env, start: :user_cache)
      for node <- nodes, do: Cluster.spawn(node, fn -> write_many(1) end)
      Process.sleep(120_000)
      Cluster.settle()

      Lockstep.eventually(fn -> nodes |> Enum.map(&users/1) |> Enum.uniq() |> length() == 1 end,
        within: 30_000,
        every: 500
      )

      assert users(:n1) != %{}
    end
  end

  describe "nodes" do
    @tag lockstep: [seeds: 1..100]
    test "have tables, names and applications of their own" do
      [n1, n2] = start("cache", 2, Members)
      [s1, s2] = for node <- [n1, n2], do: Cluster.run(node, fn -> Process.whereis(UserCache.Server) end)
      assert {node(s1), node(s2)} == {n1, n2}
      write(n1, [1])
      Lockstep.eventually(fn -> users(n2) == users(n1) end)
      Cluster.run(n2, fn -> :ok = Application.stop(:user_cache) end)
      assert Cluster.run(n2, fn -> :ets.whereis(UserCache.Server) end) == :undefined
      assert users(n1) == %{1 => {n1, 1}}
    end

    @tag lockstep: [seeds: 1..100]
    test "lose what is sent to names that they do not have" do
      [n1, n2] = start("cache", 2, Members)
      Cluster.run(n1, fn -> assert GenServer.cast({:nobody, n2}, :hello) == :ok end)
      via = {:via, Registry, {{UserCache.Registry, n2}, :cache}}

      Cluster.run(n1, fn ->
        assert_raise ArgumentError, ~r/unknown registry/, fn -> GenServer.call(via, :hello) end
      end)
    end

    @tag lockstep: [seeds: 1..100]
    test "are connected by a ping" do
      [a, b] = Cluster.start_nodes([:a, :b], connect: false)

      assert Cluster.run(a, fn -> {Node.list(), Node.ping(b), Node.list(), Node.ping(:c)} end) ==
               {[], :pong, [b], :pang}
    end
  end

  # For a minute and a half, or until the node goes down.
  defp write_many(number) do
    if number < 100 do
      Process.sleep(:rand.uniform(2000))
      UserCache.put(:rand.uniform(20), {node(), number})
      write_many(number + 1)
    end
  end
end
