defmodule Gallery.EtsIteration do
  use Gallery.Program,
    kind: :atomicity,
    bug: "a table is walked through while entries are deleted",
    fails: ArgumentError

  def buggy, do: walk(fn table -> keys(table, :ets.first(table)) end)

  def fixed do
    walk(fn table ->
      :ets.safe_fixtable(table, true)
      keys = keys(table, :ets.first(table))
      :ets.safe_fixtable(table, false)
      keys
    end)
  end

  defp keys(_table, :"$end_of_table"), do: []
  defp keys(table, key), do: [key | keys(table, :ets.next(table, key))]

  defp walk(keys) do
    table = :ets.new(:users, [:public])
    :ets.insert(table, ada: 1, joe: 2, sue: 3)
    leaving = Task.async(fn -> :ets.delete(table, :joe) end)
    assert [_, _ | _] = keys.(table)
    Task.await(leaving)
  end
end
