defmodule Lockstep.Runtime.Ets.Index do
  @moduledoc false
  # The keys of an unordered table in term order, for those who go through it step by step.
  #
  # An index is made at the first such step. From then on new keys are added to it, and keys that are gone are left
  # out when they are met. It is only a memory: when it is lost, with the process that made it, it is made again.
  #
  # Keys may be equal without being the same (1 and 1.0), so an entry has all that are equal to it.

  alias Lockstep.Runtime.Context
  alias Lockstep.Runtime.Ets.Table

  @end_of_table :"$end_of_table"

  @doc "The first key of a table."
  @spec first(Context.t(), Table.t()) :: term()
  def first(ctx, table) do
    index = index(ctx, table)
    living(table, index, :ets.first(index))
  end

  @doc "The first key behind `key`, which need not be there."
  @spec next(Context.t(), Table.t(), term()) :: term()
  def next(ctx, table, key) do
    index = index(ctx, table)

    case Enum.find(behind(same(index, key), key), &:ets.member(table.tid, &1)) do
      nil -> living(table, index, :ets.next(index, key))
      key -> key
    end
  end

  # `nil` is a key, too; but one that is equal to no other.
  defp behind(keys, key), do: keys |> Enum.drop_while(&(&1 !== key)) |> Enum.drop(1)

  defp same(index, key) do
    case :ets.lookup(index, key) do
      [{_, keys}] -> keys
      [] -> []
    end
  end

  defp living(_table, _index, @end_of_table), do: @end_of_table

  defp living(table, index, entry) do
    case Enum.filter(same(index, entry), &:ets.member(table.tid, &1)) do
      [key | _] ->
        key

      [] ->
        next = :ets.next(index, entry)
        :ets.delete(index, entry)
        living(table, index, next)
    end
  end

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
    with index when index != nil <- existing(ctx, table), do: Enum.each(keys, &insert(index, &1))
    :ok
  end

  @doc "Forgets a table's index."
  @spec drop(Context.t(), Table.t()) :: :ok
  def drop(ctx, table) do
    with index when index != nil <- existing(ctx, table), do: :ets.delete(index)
    :ets.delete(ctx.store, {:index, table.number})
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
    table |> keys() |> Enum.each(&insert(index, &1))
    :ets.insert(ctx.store, {{:index, table.number}, index})
    index
  end

  defp insert(index, key) do
    keys = same(index, key)
    if key not in keys, do: :ets.insert(index, {key, keys ++ [key]})
  end
end
