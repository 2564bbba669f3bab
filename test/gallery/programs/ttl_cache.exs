defmodule Gallery.TtlCache do
  use Gallery.Program, kind: :atomicity, bug: "the sweeper of a cache deletes by key what was renewed since it looked"

  def buggy, do: sessions(&delete_by_key/2)
  def fixed, do: sessions(&select_delete/2)

  defp delete_by_key(table, now) do
    for {user, ends} <- :ets.tab2list(table), ends <= now, do: :ets.delete(table, user)
  end

  defp select_delete(table, now), do: :ets.select_delete(table, [{{:_, :"$1"}, [{:"=<", :"$1", now}], [true]}])

  defp sessions(sweep) do
    table = :ets.new(:sessions, [:public])
    now = System.monotonic_time(:millisecond)
    :ets.insert(table, [{:ada, now}, {:joe, now + 1000}])
    together([fn -> sweep.(table, now) end, fn -> :ets.insert(table, {:ada, now + 2000}) end])
    assert :ets.lookup(table, :ada) == [ada: now + 2000]
  end
end
