defmodule Gallery.ReferenceCount do
  use Gallery.Program,
    kind: :lifecycle,
    bug: "the last user of a connection closes it, while another has just found it open"

  @closed_if_unused [{{:connection, 0, :open}, [], [{{:connection, 0, :closed}}]}]

  def buggy do
    share(fn table ->
      if users(table, -1) == 0, do: :ets.update_element(table, :connection, {3, :closed})
    end)
  end

  def fixed do
    share(fn table ->
      if users(table, -1) == 0, do: :ets.select_replace(table, @closed_if_unused)
    end)
  end

  defp share(leave) do
    table = :ets.new(:connections, [:public])
    :ets.insert(table, {:connection, 1, :open})
    assert [:open, _] = together([fn -> join(table) end, fn -> leave.(table) end])
  end

  defp join(table) do
    users(table, 1)
    if state(table) == :closed, do: :ets.update_element(table, :connection, {3, :open})
    state(table)
  end

  defp users(table, change), do: :ets.update_counter(table, :connection, {2, change})
  defp state(table), do: :ets.lookup_element(table, :connection, 3)
end
