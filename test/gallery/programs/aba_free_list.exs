defmodule Gallery.AbaFreeList do
  use Gallery.Program,
    kind: :search,
    bug: "a slot is taken, and given back, between a look at the free list and its change (a deep ordering)"

  import Bitwise

  # The head of the list is an atomic: the slot in the low bits, above them how often it was changed.
  def buggy, do: slots(fn _head, slot -> slot end)
  def fixed, do: slots(fn head, slot -> ((head >>> 4) + 1) <<< 4 ||| slot end)

  defp slots(changed) do
    list = {:atomics.new(1, signed: false), :ets.new(:next, [:public]), changed}
    for slot <- [3, 2, 1], do: push(list, slot)

    busy = fn ->
      [first, second] = [pop(list), pop(list)]
      if first != 0, do: push(list, first)
      [second]
    end

    held = together([fn -> [pop(list)] end, busy]) |> List.flatten() |> Enum.reject(&(&1 == 0))
    assert Enum.sort(held ++ rest(list)) == [1, 2, 3]
  end

  defp push({head, next, changed} = list, slot) do
    seen = :atomics.get(head, 1)
    :ets.insert(next, {slot, seen &&& 15})
    if :atomics.compare_exchange(head, 1, seen, changed.(seen, slot)) != :ok, do: push(list, slot)
  end

  defp pop({head, next, changed} = list) do
    seen = :atomics.get(head, 1)

    with slot when slot != 0 <- seen &&& 15 do
      [{^slot, following}] = :ets.lookup(next, slot)
      if :atomics.compare_exchange(head, 1, seen, changed.(seen, following)) == :ok, do: slot, else: pop(list)
    end
  end

  defp rest(list), do: Stream.repeatedly(fn -> pop(list) end) |> Enum.take(4) |> Enum.take_while(&(&1 != 0))
end
