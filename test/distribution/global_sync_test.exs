defmodule Distribution.GlobalSyncTest do
  use ExUnit.Case, async: true
  use Lockstep

  alias Lockstep.{Cluster, Runner}

  defp registered_on_b do
    [a, b] = Cluster.start_nodes([:a, :b], connect: false)
    Cluster.spawn(b, fn -> :global.register_name(:known, self()) && Process.sleep(:infinity) end)
    Lockstep.eventually(fn -> Cluster.run(b, fn -> :global.whereis_name(:known) != :undefined end) end)
    {a, b}
  end

  test "R-GL8 after sync the names of both sides are known" do
    Runner.run(fn ->
      {a, b} = registered_on_b()

      assert Cluster.run(a, fn ->
               true = Node.connect(b)
               :ok = :global.sync()
               node(:global.whereis_name(:known))
             end) == b
    end)
  end

  test "R-GL8 a connection made while `global` starts is heard of on both sides" do
    Runner.run(
      fn ->
        nodes = Cluster.start_nodes([:a, :b], connect: false)
        register = fn -> :global.register_name(:name, self()) && Process.sleep(:infinity) end
        for node <- nodes, do: Cluster.spawn(node, register)
        Cluster.run(:a, fn -> Node.connect(:b) end)
        Process.sleep(30_000)
        [one, other] = for node <- nodes, do: Cluster.run(node, fn -> :global.whereis_name(:name) end)
        assert one == other
      end,
      seeds: 1..2500
    )
  end

  test "R-GL8 without it they may not be" do
    assert {:failed, _} =
             Runner.explore(fn ->
               {a, b} = registered_on_b()
               Cluster.run(a, fn -> true = Node.connect(b) end)
               assert Cluster.run(a, fn -> :global.whereis_name(:known) end) != :undefined
             end)
  end
end
