defmodule Gallery.LostUpdateAtomics do
  use Gallery.Program, kind: :atomicity, bug: "the longest time so far is read, compared, and then put"

  def buggy, do: longest(&read_and_put/2)
  def fixed, do: longest(&compare_exchange/2)

  defp read_and_put(longest, time) do
    if time > :atomics.get(longest, 1), do: :atomics.put(longest, 1, time)
  end

  defp compare_exchange(longest, time) do
    seen = :atomics.get(longest, 1)
    if time > seen and :atomics.compare_exchange(longest, 1, seen, time) != :ok, do: compare_exchange(longest, time)
  end

  defp longest(record) do
    longest = :atomics.new(1, signed: false)
    together(for time <- [30, 20, 10], do: fn -> record.(longest, time) end)
    assert :atomics.get(longest, 1) == 30
  end
end
