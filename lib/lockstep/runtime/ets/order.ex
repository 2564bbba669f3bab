defmodule Lockstep.Runtime.Ets.Order do
  @moduledoc false
  # Operations on real tables, with results in an order that is the same in every VM.
  #
  # Unordered tables are laid out by hashes that depend on how the VM numbered its atoms. Here they are traversed in
  # the order of their keys, which is an order they could have. The objects of one key keep the order that the VM
  # gives them.

  alias Lockstep.Runtime.Context
  alias Lockstep.Runtime.Ets.{Index, Spec, Table}

  @end_of_table :"$end_of_table"

  @doc "Does an operation of `:ets`; `args` are those behind the table."
  @spec call(Context.t(), Table.t(), atom(), [term()]) :: term()
  def call(_ctx, %{type: :ordered_set} = table, function, args), do: native(table, function, args)

  def call(_ctx, table, function, [pattern]) when function in [:match, :match_object],
    do: arranged(table, function, [pattern], apply(Spec, function, [pattern]))

  def call(_ctx, table, function, [spec]) when function in [:select, :select_reverse],
    do: arranged(table, function, [spec], spec)

  def call(ctx, table, function, []) when function in [:first, :last] do
    native(table, function, [])
    Index.first(ctx, table)
  end

  def call(ctx, table, function, [key]) when function in [:next, :prev] do
    # From a key that is gone the VM gets on only while the table is fixed: it is the one to say so.
    native(table, function, [key])
    Index.next(ctx, table, key)
  end

  def call(ctx, table, function, args) when function in [:first_lookup, :last_lookup, :next_lookup, :prev_lookup] do
    native(table, function, args)
    step = function |> to_string() |> String.replace_suffix("_lookup", "") |> String.to_existing_atom()

    case call(ctx, table, step, args) do
      @end_of_table -> @end_of_table
      key -> {key, native(table, :lookup, [key])}
    end
  end

  # Every key has a slot of its own.
  def call(_ctx, table, :slot, [number]) when is_integer(number) and number >= 0 do
    case Enum.drop([@end_of_table | Enum.reverse(Index.keys(table))] |> Enum.reverse(), number) do
      [@end_of_table] -> @end_of_table
      [key | _] -> native(table, :lookup, [key])
      [] -> native(table, :slot, [-1])
    end
  end

  def call(_ctx, table, function, args), do: native(table, function, args)

  defp native(table, function, args), do: apply(:ets, function, [table.tid | args])

  defp arranged(table, function, args, spec) do
    with_keys = :ets.select(table.tid, Spec.with_keys(spec, table.keypos))
    # Where the body of the specification fails, the result is 'EXIT', without a key.
    {failed, pairs} = Enum.split_with(with_keys, &(&1 == :EXIT))
    failed ++ for {_key, result} <- Index.pairs_in_order(pairs), do: result
  rescue
    # What is wrong with it is to be said of what the program passed.
    ArgumentError -> native(table, function, args)
  end

  ## In chunks

  @typedoc "Which results are still to be given, and from which key to go on; `:none` when all keys have been seen."
  @type position :: {[term()], {:key, term()} | :none}
  @type continuation :: {:"$lockstep_select", reference(), :forward | :backward, Spec.t(), pos_integer(), position()}
  @type chunk :: {[term()], continuation() | :"$end_of_table"} | :"$end_of_table"

  @doc "Begins a `select/3` or one of its relatives."
  @spec select(Context.t(), Table.t(), atom(), term(), pos_integer(), Spec.t()) :: chunk()
  def select(ctx, table, function, argument, limit, spec) do
    # The VM is asked whether the caller may do that at all.
    native(table, function, [argument, limit])
    direction = if function == :select_reverse and table.type == :ordered_set, do: :backward, else: :forward
    continuation = {:"$lockstep_select", table.id, direction, spec, limit, nil}

    case keys(table, spec) do
      :any -> scan(ctx, table, continuation, [], edge(ctx, table, direction))
      keys -> hand_out(continuation, Enum.flat_map(keys, &matches(table, spec, &1)))
    end
  end

  # An ordered table is gone through in its order as soon as there are several keys to look for.
  defp keys(%{type: :ordered_set}, [_, _ | _]), do: :any
  defp keys(table, spec), do: Spec.keys(spec, table.keypos)

  @doc """
  Goes on with a `select/3`.

  It goes on behind the last key: what has been added there since, or deleted, counts.
  """
  @spec more(Context.t(), Table.t(), continuation()) :: chunk()
  def more(ctx, table, {_, _, direction, _, limit, {left, from}} = continuation) do
    case from do
      :none -> hand_out(continuation, left)
      {:key, key} when length(left) < limit -> scan(ctx, table, continuation, left, step(ctx, table, key, direction))
      {:key, _} -> cut(continuation, left, from)
    end
  end

  defp hand_out(_continuation, []), do: @end_of_table
  defp hand_out({_, _, _, _, limit, _}, found) when length(found) <= limit, do: {found, @end_of_table}
  defp hand_out(continuation, found), do: cut(continuation, found, :none)

  defp scan(_ctx, _table, _continuation, [], @end_of_table), do: @end_of_table
  defp scan(_ctx, _table, _continuation, found, @end_of_table), do: {found, @end_of_table}

  defp scan(ctx, table, {_, _, direction, spec, limit, _} = continuation, found, key) do
    matches = matches(table, spec, key)

    if length(found) + length(matches) < limit,
      do: scan(ctx, table, continuation, found ++ matches, step(ctx, table, key, direction)),
      else: cut(continuation, found, matches, {:key, key})
  end

  # Of the objects of one key the VM gives the last ones first, and turns round what is left when that is too much, too.
  defp cut({_, _, _, _, _, before} = continuation, found, from) do
    {found, continuation} = cut(continuation, [], found, from)
    {left, from} = elem(continuation, 5)
    {found, put_elem(continuation, 5, {if(before, do: Enum.reverse(left), else: left), from})}
  end

  defp cut(continuation, found, matches, from) do
    limit = elem(continuation, 4)
    {left, taken} = Enum.split(matches, length(found) + length(matches) - limit)
    {found ++ taken, put_elem(continuation, 5, {left, from})}
  end

  defp matches(table, spec, key) do
    :ets.match_spec_run(:ets.lookup(table.tid, key), :ets.match_spec_compile(spec))
  end

  defp edge(_ctx, %{type: :ordered_set} = table, :forward), do: :ets.first(table.tid)
  defp edge(_ctx, %{type: :ordered_set} = table, :backward), do: :ets.last(table.tid)
  defp edge(ctx, table, _direction), do: Index.first(ctx, table)

  defp step(_ctx, %{type: :ordered_set} = table, key, :forward), do: :ets.next(table.tid, key)
  defp step(_ctx, %{type: :ordered_set} = table, key, :backward), do: :ets.prev(table.tid, key)
  defp step(ctx, table, key, _direction), do: Index.next(ctx, table, key)
end
