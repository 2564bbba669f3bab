defmodule Lockstep.Runtime.Ets do
  @moduledoc false
  # `:ets` for the code under test: names of a node's own, identities and orders that do not vary, every operation
  # a scheduling point.
  #
  # Here is what is done to the contents of tables. `:ets` itself is Erlang code where it only makes use of that
  # (`foldl/3`, `init_table/2`, `table/2`, ...): there its instrumented copy runs.

  alias Lockstep.Runtime.Context
  alias Lockstep.Runtime.Ets.{Index, Operation, Order, Spec, Table}

  # `:ets.select_delete/2` and `:ets.delete_all_objects/1` are made of the functions that are called internal.
  #
  # `{function, arity, what it touches, whether it writes}`. The table comes first. `:key`: the second argument is the
  # key; `:objects`: it is an object or a list of objects; `:pattern` and `:spec`: it says what is looked for;
  # `:table`: the whole table is touched.
  @operations [
    {:lookup, 2, :key, false},
    {:lookup_element, 3, :key, false},
    {:lookup_element, 4, :key, false},
    {:member, 2, :key, false},
    {:delete, 2, :key, true},
    {:take, 2, :key, true},
    {:update_counter, 3, :key, true},
    {:update_counter, 4, :key, true},
    {:update_element, 3, :key, true},
    {:update_element, 4, :key, true},
    {:insert, 2, :objects, true},
    {:insert_new, 2, :objects, true},
    {:delete_object, 2, :objects, true},
    {:internal_delete_all, 2, :table, true},
    {:select, 2, :spec, false},
    {:select_count, 2, :spec, false},
    {:internal_select_delete, 2, :spec, true},
    {:select_replace, 2, :spec, true},
    {:select_reverse, 2, :spec, false},
    {:match, 2, :pattern, false},
    {:match_object, 2, :pattern, false},
    {:first, 1, :table, false},
    {:next, 2, :table, false},
    {:last, 1, :table, false},
    {:prev, 2, :table, false},
    {:first_lookup, 1, :table, false},
    {:next_lookup, 2, :table, false},
    {:last_lookup, 1, :table, false},
    {:prev_lookup, 2, :table, false},
    {:slot, 2, :table, false}
  ]

  for {function, arity, scope, write?} <- @operations do
    [table | rest] = args = Macro.generate_arguments(arity, __MODULE__)

    # A call of `apply/3` loses what the VM says of the cause of an exception; of later releases there is no other.
    native =
      if {function, arity} in :ets.module_info(:exports),
        do: quote(do: :ets.unquote(function)(unquote_splicing(args))),
        else: quote(do: apply(:ets, unquote(function), unquote(args)))

    @doc "`:ets.#{function}/#{arity}`."
    def unquote(function)(unquote_splicing(args)) do
      case Context.get() do
        nil -> unquote(native)
        ctx -> operate(ctx, unquote(function), unquote(table), unquote(rest), unquote(scope), unquote(write?))
      end
    end
  end

  defp operate(ctx, function, id, args, scope, write?) do
    Operation.run(ctx, id, {function, [id | args]}, scope(scope, args), write?, fn table ->
      result = Order.call(ctx, table, function, args)
      if write? and table.type != :ordered_set, do: remember(ctx, table, function, args)
      result
    end)
  end

  defp scope(:table, _args), do: :table
  defp scope(:pattern, [pattern]), do: {:spec, Spec.match_object(pattern)}
  defp scope(scope, [argument | _]), do: {scope, argument}

  # New keys, for those who are going through the table.
  defp remember(ctx, table, function, [objects]) when function in [:insert, :insert_new] do
    Index.add(ctx, table, for(object <- List.wrap(objects), do: elem(object, table.keypos - 1)))
  end

  defp remember(ctx, table, function, [key | _]) when function in [:update_counter, :update_element],
    do: Index.add(ctx, table, [key])

  defp remember(ctx, table, :internal_delete_all, _), do: Index.drop(ctx, table)
  defp remember(_ctx, _table, _function, _args), do: :ok

  @doc "`:ets.delete/1`."
  def delete(id) do
    case Context.get() do
      nil ->
        :ets.delete(id)

      ctx ->
        Operation.run(ctx, id, {:delete, [id]}, :table, true, fn table ->
          :ets.delete(table.tid)
          Table.forget(ctx, table)
          true
        end)
    end
  end

  for {function, to_spec} <- [
        select: quote(do: & &1),
        select_reverse: quote(do: & &1),
        match: quote(do: &Spec.match/1),
        match_object: quote(do: &Spec.match_object/1)
      ] do
    @doc "`:ets.#{function}/3`."
    def unquote(function)(id, pattern, limit) do
      case Context.get() do
        nil -> :ets.unquote(function)(id, pattern, limit)
        ctx -> begin(ctx, unquote(function), id, pattern, limit, unquote(to_spec).(pattern))
      end
    end

    @doc "`:ets.#{function}/1`."
    def unquote(function)(continuation) do
      case continuation do
        {:"$lockstep_select", _, _, _, _, _} -> go_on(unquote(function), continuation)
        _ -> :ets.unquote(function)(continuation)
      end
    end
  end

  defp begin(ctx, function, id, pattern, limit, spec) do
    call = {function, [id, pattern, limit]}
    Operation.run(ctx, id, call, {:spec, spec}, false, &Order.select(ctx, &1, function, pattern, limit, spec))
  end

  defp go_on(function, {_, id, _, spec, _, _} = continuation) do
    ctx = Context.get()
    Operation.run(ctx, id, {function, [continuation]}, {:spec, spec}, false, &Order.more(ctx, &1, continuation))
  end

  @doc "`:ets.repair_continuation/2`. Those of a run have their specification with them."
  def repair_continuation({:"$lockstep_select", _, _, _, _, _} = continuation, _spec), do: continuation
  def repair_continuation(continuation, spec), do: :ets.repair_continuation(continuation, spec)
end
