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

  test "R-GL8 without it they may not be" do
    assert {:failed, _} =
             Runner.explore(fn ->
               {a, b} = registered_on_b()
               Cluster.run(a, fn -> true = Node.connect(b) end)
               assert Cluster.run(a, fn -> :global.whereis_name(:known) end) != :undefined
             end)
  end
end
