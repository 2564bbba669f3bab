defmodule Lockstep.Runtime.Ets.Order do
  @moduledoc false
  # Operations on real tables, with results in an order that is the same in every VM.
  #
  # Unordered tables are laid out by hashes that depend on how the VM numbered its atoms. Here they are traversed in
  # the order of their keys, which is an order they could have.

  alias Lockstep.Runtime.Ets.Table

  @doc "Does an operation of `:ets`."
  @spec call(Table.t(), atom(), [term()]) :: term()
  def call(%{type: type} = table, function, args) when type != :ordered_set, do: unordered(table, function, args)
  def call(table, function, args), do: native(table, function, args)

  defp unordered(table, :tab2list, []), do: :lists.keysort(table.keypos, native(table, :tab2list, []))

  defp unordered(table, :match_object, [_] = args),
    do: :lists.keysort(table.keypos, native(table, :match_object, args))

  defp unordered(table, function, [_] = args) when function in [:match, :select],
    do: :lists.sort(native(table, function, args))

  defp unordered(table, function, []) when function in [:first, :last], do: first(keys(table))
  defp unordered(table, function, [key]) when function in [:next, :prev], do: following(table, key)
  defp unordered(table, function, args), do: native(table, function, args)

  defp native(table, function, args), do: apply(:ets, function, [table.tid | args])

  @doc "The keys of a table in the order of traversal."
  @spec keys(Table.t()) :: [term()]
  def keys(%{type: :ordered_set} = table), do: Enum.reverse(fold_keys(table))
  def keys(table), do: table |> fold_keys() |> Enum.sort() |> Enum.dedup()

  defp fold_keys(%{tid: tid, keypos: keypos}), do: :ets.foldl(&[:erlang.element(keypos, &1) | &2], [], tid)

  defp first([]), do: :"$end_of_table"
  defp first([key | _]), do: key

  # From a key that is gone one gets on only while the table is fixed.
  defp following(table, key) do
    cond do
      :ets.member(table.tid, key) -> table |> keys() |> Enum.drop_while(&(&1 !== key)) |> tl() |> first()
      :ets.info(table.tid, :fixed) -> table |> keys() |> Enum.drop_while(&(&1 <= key)) |> first()
      true -> native(table, :next, [key])
    end
  end

  @type continuation :: {:"$lockstep_select", term(), term(), pos_integer(), [term()], [term()]}

  @doc "Begins a `select/3` of the table that the caller knows as `id`."
  @spec select(Table.t(), term(), term(), pos_integer()) :: {[term()], continuation()} | :"$end_of_table"
  def select(table, id, spec, limit) when is_integer(limit) and limit > 0 do
    more(table, {:"$lockstep_select", id, spec, limit, [], keys(table)})
  end

  def select(_table, _id, _spec, _limit), do: :erlang.error(:badarg)

  @doc """
  Goes on with a `select/3`.

  The keys are those at its beginning, the objects those of now: what has been added since is not seen, what has been
  deleted neither.
  """
  @spec more(Table.t(), continuation()) :: {[term()], continuation() | :"$end_of_table"} | :"$end_of_table"
  def more(table, {:"$lockstep_select", id, spec, limit, found, keys}) do
    {found, keys} = gather(table, :ets.match_spec_compile(spec), limit, found, keys)

    case Enum.split(found, limit) do
      {[], []} -> :"$end_of_table"
      {batch, []} when keys == [] -> {batch, :"$end_of_table"}
      {batch, rest} -> {batch, {:"$lockstep_select", id, spec, limit, rest, keys}}
    end
  end

  defp gather(_table, _compiled, limit, found, keys) when keys == [] or length(found) >= limit, do: {found, keys}

  defp gather(table, compiled, limit, found, [key | keys]) do
    matches = :ets.match_spec_run(:ets.lookup(table.tid, key), compiled)
    gather(table, compiled, limit, found ++ matches, keys)
  end
end
