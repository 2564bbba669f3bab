defmodule KVTest do
  use Lockstep.Case, async: true

  alias Lockstep.{Cluster, Runner}

  @moduletag timeout: 300_000

  @cut 220

  @tag :split_brain
  @tag lockstep: [seeds: 1..1000]
  test "acknowledged writes survive a short cut, with a quorum of the reachable replicas" do
    assert lost_writes(KV.Quorum.Reachable) == []
  end

  @tag :corrected
  @tag lockstep: [seeds: 1..1000]
  test "acknowledged writes survive a short cut, with a quorum of the configured replicas" do
    assert lost_writes(KV.Quorum.Configured) == []
  end

  test "within 1,000 seeds, the quorum of the reachable replicas loses a write" do
    check = fn -> assert lost_writes(KV.Quorum.Reachable) == [] end
    assert {:failed, %{error: {:crash, :error, %ExUnit.AssertionError{}, _}}} = Runner.explore(check, seeds: 1..1000)
  end

  # Three clients, one for each replica, write while the network between the replicas is cut and healed.
  defp lost_writes(quorum) do
    nodes = Cluster.start_nodes([:a, :b, :c])
    for node <- nodes, do: start_replica(node, members: nodes, quorum: quorum)
    find_leader(nodes)

    clients = for node <- nodes, do: Task.async(fn -> write(node, 1..8) end)
    Process.sleep(100)
    Cluster.partition([:a], [:b, :c])
    Process.sleep(@cut)
    Cluster.heal()
    acknowledged = clients |> Task.await_many(:infinity) |> Enum.concat()

    acknowledged -- Map.keys(KV.data(find_leader(nodes)))
  end

  defp start_replica(node, opts) do
    Cluster.spawn(node, fn ->
      {:ok, _pid} = KV.start_link(opts)
      Process.sleep(:infinity)
    end)
  end

  # The keys, such as `{:a, 3}`, for which the replica said `:ok`.
  defp write(node, numbers) do
    Enum.filter(for(number <- numbers, do: {node, number}), fn key ->
      Process.sleep(40)
      KV.put(node, key, true) == :ok
    end)
  end

  # Whoever can acknowledge a write is the leader.
  defp find_leader(nodes) do
    nodes
    |> Stream.cycle()
    |> Enum.find(fn node ->
      Process.sleep(20)
      KV.put(node, :leader, node) == :ok
    end)
  end
end
