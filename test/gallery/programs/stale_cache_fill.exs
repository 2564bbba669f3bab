defmodule Gallery.StaleCacheFill do
  use Gallery.Program, kind: :order, bug: "a reader fills the cache with what it loaded before the value was changed"

  def buggy, do: cached(&:ets.insert/2)
  def fixed, do: cached(&:ets.insert_new/2)

  defp cached(fill) do
    cache = :ets.new(:cache, [:public])
    {:ok, database} = Agent.start_link(fn -> 10 end)
    together([fn -> read(cache, database, fill) end, fn -> write(cache, database, 12) end])
    assert read(cache, database, fill) == 12
  end

  defp read(cache, database, fill) do
    case :ets.lookup(cache, :price) do
      [price: price] ->
        price

      [] ->
        price = Agent.get(database, & &1)
        fill.(cache, {:price, price})
        price
    end
  end

  defp write(cache, database, price) do
    Agent.update(database, fn _ -> price end)
    :ets.insert(cache, {:price, price})
  end
end
