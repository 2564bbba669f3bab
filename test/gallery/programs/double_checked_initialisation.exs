defmodule Gallery.DoubleCheckedInitialisation do
  use Gallery.Program, kind: :order, bug: "settings are said to be loaded before they are"

  def buggy, do: settings([{:loaded, true}, {:limit, 10}])
  def fixed, do: settings([{:limit, 10}, {:loaded, true}])

  defp settings(entries) do
    table = :ets.new(:settings, [:public])
    {:ok, lock} = Agent.start_link(fn -> nil end)
    assert together(for _ <- 1..2, do: fn -> limit(table, lock, entries) end) == [[limit: 10], [limit: 10]]
  end

  defp limit(table, lock, entries) do
    unless loaded?(table), do: Agent.get(lock, fn _ -> load(table, entries) end)
    :ets.lookup(table, :limit)
  end

  # Somebody else may have loaded them while the lock was waited for.
  defp load(table, entries), do: loaded?(table) || Enum.each(entries, &:ets.insert(table, &1))

  defp loaded?(table), do: :ets.lookup(table, :loaded) != []
end
