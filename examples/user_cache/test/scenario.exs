defmodule UserCacheScenario do
  @moduledoc false
  # Nodes with a cache each, one of which is cut off, or starts later, while users are written.

  use Lockstep
  import ExUnit.Assertions

  alias Lockstep.Cluster
  alias UserCache.Sync.{Members, Nodes}

  @doc "What there is to find."
  def bugs do
    [
      {"nothing sent again: a cache that was cut off misses users", fn -> cut(nil) end},
      {"nothing sent again: a cache that is added misses users", fn -> added(nil) end},
      {"sent again to nodes: a cache that was cut off misses users", fn -> cut(Nodes) end},
      {"sent again to nodes: a cache that is added misses users", fn -> added(Nodes) end}
    ]
  end

  @doc "What there is not to find."
  def twins do
    [
      {"sent again to members: caches are equal after a cut", fn -> cut(Members) end},
      {"sent again to members: a cache that is added is equal", fn -> added(Members) end},
      {"sent again to members: caches are equal after a crash", fn -> crash(Members) end},
      {"sent again to members: caches written on both sides of a cut are equal", fn -> both_sides(Members) end}
    ]
  end

  @doc "The caches are equal in the end, after a node was cut off; users are written before, meanwhile and after."
  def cut(sync) do
    [n1, n2] = nodes = start("cache", 2, sync)
    write(n1, 1..2)
    Lockstep.eventually(fn -> assert Map.keys(users(n2)) == [1, 2] end)

    Schism.partition([n1])
    write(n1, 3..4)
    write(n2, 5..6)
    refute Map.has_key?(users(n2), 4)

    writer = Task.async(fn -> write(n1, 7..16) end)
    Schism.heal(nodes)
    Task.await(writer, :infinity)
    assert_equal(nodes, 16)
  end

  @doc "The caches are equal in the end, after a node was added; users are written before, meanwhile and after."
  def added(sync) do
    [n1] = start("old", 1, sync)
    write(n1, 1..2)
    writer = Task.async(fn -> write(n1, 3..12) end)
    [n2] = start("new", 1, sync)
    Task.await(writer, :infinity)
    assert_equal([n1, n2], 12)
  end

  @doc "The caches that are left are equal in the end, after one has crashed on which users were just written."
  def crash(sync) do
    [n1, n2, n3] = start("cache", 3, sync)
    write(n3, 1..5)
    Cluster.crash_node(n3)
    Process.sleep(30_000)
    assert users(n1) == users(n2)
  end

  @doc "The caches are equal in the end, if the same users are written on both sides of a cut."
  def both_sides(sync) do
    [n1, n2] = nodes = start("cache", 2, sync)
    write(n1, 1..3)
    Schism.partition([n1])
    for node <- [n1, n2, n2], do: write(node, 2..3)
    Schism.heal(nodes)
    assert_equal(nodes, 3)
    assert %{1 => {^n1, 1}, 2 => {^n2, 2}, 3 => {^n2, 3}} = users(n1)
  end

  @doc "Nodes of which each knows the others' caches."
  def start(prefix, count, sync) do
    options = [applications: [:user_cache], environment: [user_cache: [sync: sync]]]
    nodes = LocalCluster.start_nodes(prefix, count, options)

    for node <- nodes,
        do: Lockstep.eventually(fn -> Cluster.run(node, fn -> length(UserCache.Group.others()) end) >= count - 1 end)

    nodes
  end

  @doc "Writes users with these ids, one after the other."
  def write(node, ids) do
    for id <- ids do
      Process.sleep(:rand.uniform(10))
      :ok = Cluster.run(node, fn -> UserCache.put(id, {node, id}) end)
    end
  end

  def users(node), do: Cluster.run(node, &UserCache.all/0)

  # Long after the last message.
  defp assert_equal([first | rest], count) do
    Process.sleep(30_000)
    expected = users(first)
    assert map_size(expected) == count
    for node <- rest, do: assert(users(node) == expected)
  end
end
