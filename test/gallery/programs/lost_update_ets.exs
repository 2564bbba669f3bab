defmodule Gallery.LostUpdateEts do
  use Gallery.Program, kind: :atomicity, bug: "a hit counter in a table is looked up, then inserted again"

  def buggy, do: hits(&look_up_and_insert/1)
  def fixed, do: hits(&:ets.update_counter(&1, :page, 1))

  defp look_up_and_insert(table) do
    [{:page, count}] = :ets.lookup(table, :page)
    :ets.insert(table, {:page, count + 1})
  end

  defp hits(hit) do
    table = :ets.new(:hits, [:public])
    :ets.insert(table, {:page, 0})
    together(for _ <- 1..3, do: fn -> hit.(table) end)
    assert :ets.lookup(table, :page) == [page: 3]
  end
end
