defmodule Lockstep.Runtime.Ets.Index do
  @moduledoc false
  # The keys of an unordered table in an order, for those who go through it step by step: that of the terms.
  #
  # An index is made at the first such step. Keys that come later get a place that only chance decides, as in the VM:
  # in the order of the terms one who adds ever greater keys while going through a table would never come to an end.
  # When the next one starts from the beginning, and nobody has fixed the table, they move to where they belong. Keys
  # that are gone are left out when they are met.
  #
  # All this is only a memory: when it is lost, with the process that made it, it is made again.
  #
  # An entry is `{{rank, key}, keys}`. Keys may be equal without being the same (1 and 1.0), so it has all of them.

  alias Lockstep.Runtime.Context
  alias Lockstep.Runtime.Ets.Table

  @end_of_table :"$end_of_table"
  @ranks 64
  @middle 32

  @doc "The first key of a table."
  @spec first(Context.t(), Table.t()) :: term()
  def first(ctx, table) do
    index = index(ctx, table)
    unless fixed?(table), do: settle(ctx, table, index)
    living(table, index, :ets.first(index))
  end

  @doc "The first key behind `key`, which need not be there."
  @spec next(Context.t(), Table.t(), term()) :: term()
  def next(ctx, table, key) do
    index = index(ctx, table)
    place = place(index, key)
    behind = index |> keys_at(place) |> Enum.drop_while(&(&1 !== key)) |> Enum.drop(1)

    case Enum.filter(behind, &:ets.member(table.tid, &1)) do
      [key | _] -> key
      [] -> living(table, index, :ets.next(index, place))
    end
  end

  defp place(index, key) do
    late = late_place(key)
    if key in keys_at(index, late), do: late, else: {@middle, key}
  end

  defp late_place(key), do: {:erlang.phash2(key, @ranks), key}

  defp keys_at(index, place) do
    case :ets.lookup(index, place) do
      [{_, keys}] -> keys
      [] -> []
    end
  end

  defp living(_table, _index, @end_of_table), do: @end_of_table

  defp living(table, index, place) do
    case Enum.filter(keys_at(index, place), &:ets.member(table.tid, &1)) do
      [key | _] ->
        key

      [] ->
        next = :ets.next(index, place)
        # As long as the table is fixed, somebody may stand here.
        unless fixed?(table), do: :ets.delete(index, place)
        living(table, index, next)
    end
  end

  defp fixed?(table), do: :ets.info(table.tid, :fixed)

  @doc "All keys."
  @spec keys(Table.t()) :: [term()]
  def keys(table) do
    table.tid |> :ets.select([{:_, [], [{:element, table.keypos, :"$_"}]}]) |> in_order() |> Enum.dedup()
  end

  @doc "Sorts keys by themselves, and equal ones that are not the same in a way that is the same in every VM."
  @spec in_order([term()]) :: [term()]
  def in_order(keys) do
    sorted = Enum.sort(keys)
    if ambiguous?(sorted, & &1), do: Enum.sort_by(keys, &{&1, exactly(&1)}), else: sorted
  end

  @doc "Sorts `{key, value}` in the same way; the values of a key keep their order."
  @spec pairs_in_order([{term(), term()}]) :: [{term(), term()}]
  def pairs_in_order(pairs) do
    sorted = :lists.keysort(1, pairs)
    if ambiguous?(sorted, &elem(&1, 0)), do: Enum.sort_by(pairs, fn {key, _} -> {key, exactly(key)} end), else: sorted
  end

  defp ambiguous?([one | [two | _] = rest], key) do
    (key.(one) == key.(two) and key.(one) !== key.(two)) or ambiguous?(rest, key)
  end

  defp ambiguous?(_, _key), do: false

  defp exactly(key), do: :erlang.term_to_binary(key, [:deterministic])

  @doc "Adds keys to a table's index, if it has one."
  @spec add(Context.t(), Table.t(), [term()]) :: :ok
  def add(ctx, table, keys) do
    with index when index != nil <- existing(ctx, table) do
      if overgrown?(table, index), do: drop(ctx, table), else: add(ctx, table, index, keys)
    end

    :ok
  end

  # Full of keys that are gone, and nobody looks.
  defp overgrown?(table, index) do
    :ets.info(index, :size) > 2 * :ets.info(table.tid, :size) + 100 and not fixed?(table)
  end

  defp add(ctx, table, index, keys) do
    new = Enum.reject(keys, &(&1 in keys_at(index, {@middle, &1}) or &1 in keys_at(index, late_place(&1))))
    Enum.each(new, &insert(index, late_place(&1), &1))
    :ets.insert(ctx.store, {{:late, table.number}, new ++ late(ctx, table)})
  end

  defp late(ctx, table) do
    case :ets.lookup(ctx.store, {:late, table.number}) do
      [{_, keys}] -> keys
      [] -> []
    end
  end

  defp settle(ctx, table, index) do
    for {_, keys} <- :ets.take(ctx.store, {:late, table.number}), key <- in_order(keys) do
      take_out(index, late_place(key), key)
      insert(index, {@middle, key}, key)
    end
  end

  defp take_out(index, place, key) do
    case List.delete(keys_at(index, place), key) do
      [] -> :ets.delete(index, place)
      keys -> :ets.insert(index, {place, keys})
    end
  end

  @doc "Forgets a table's index."
  @spec drop(Context.t(), Table.t()) :: :ok
  def drop(ctx, table) do
    with index when index != nil <- existing(ctx, table), do: :ets.delete(index)
    :ets.delete(ctx.store, {:index, table.number})
    :ets.delete(ctx.store, {:late, table.number})
    :ok
  end

  defp index(ctx, table), do: existing(ctx, table) || build(ctx, table)

  defp existing(ctx, table) do
    case :ets.lookup(ctx.store, {:index, table.number}) do
      [{_, index}] -> if :ets.info(index, :id) != :undefined, do: index
      [] -> nil
    end
  end

  defp build(ctx, table) do
    index = :ets.new(:lockstep_index, [:ordered_set, :public])
    table |> keys() |> Enum.each(&insert(index, {@middle, &1}, &1))
    :ets.delete(ctx.store, {:late, table.number})
    :ets.insert(ctx.store, {{:index, table.number}, index})
    index
  end

  defp insert(index, place, key) do
    keys = keys_at(index, place)
    if key not in keys, do: :ets.insert(index, {place, keys ++ [key]})
  end
end
