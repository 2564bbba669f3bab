defmodule Lockstep.Runtime.Ets do
  @moduledoc false
  # `:ets` for the code under test: names of a node's own, identities and orders that do not vary, every operation
  # a scheduling point.

  alias Lockstep.Native
  alias Lockstep.Runtime.{Context, Escape, Stack, Turn}
  alias Lockstep.Runtime.Ets.{Order, Table}

  # `{function, arity, what it touches, whether it writes}`. The table comes first. `:key`: the second argument is the
  # key; `:object`: it is an object or a list of objects; `:table`: the whole table is touched.
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
    {:insert, 2, :object, true},
    {:insert_new, 2, :object, true},
    {:delete_object, 2, :object, true},
    {:delete_all_objects, 1, :table, true},
    {:select, 2, :table, false},
    {:select_count, 2, :table, false},
    {:select_delete, 2, :table, true},
    {:select_replace, 2, :table, true},
    {:match, 2, :table, false},
    {:match_object, 2, :table, false},
    {:match_delete, 2, :table, true},
    {:tab2list, 1, :table, false},
    {:first, 1, :table, false},
    {:next, 2, :table, false},
    {:last, 1, :table, false},
    {:prev, 2, :table, false},
    {:safe_fixtable, 2, :table, false}
  ]

  # What these say is about real processes and real time.
  @host_items [:binary, :safe_fixed, :safe_fixed_monotonic_time]

  for {function, arity, scope, write?} <- @operations do
    args = Macro.generate_arguments(arity - 1, __MODULE__)

    @doc "`:ets.#{function}/#{arity}`."
    def unquote(function)(table, unquote_splicing(args)) do
      case Context.get() do
        nil ->
          apply(:ets, unquote(function), [table, unquote_splicing(args)])

        ctx ->
          call = {unquote(function), [table, unquote_splicing(args)]}
          operate(ctx, call, {unquote(scope), unquote(write?)}, &Order.call(&1, unquote(function), unquote(args)))
      end
    end
  end

  @doc "`:ets.new/2`."
  def new(name, options) do
    case Context.get() do
      nil -> :ets.new(name, options)
      ctx -> create(ctx, name, options)
    end
  end

  # The VM itself would send the message of an heir, past the simulation.
  defp create(ctx, name, options) do
    heir = is_list(options) and List.keyfind(options, :heir, 0, false)

    if heir in [false, {:heir, :none}] do
      if is_list(options) and :named_table in options, do: announce(ctx, {ctx.node, name}, true)
      table = guarded({:new, [name, options]}, fn -> Table.create(ctx, name, options) end)
      noted(ctx, {:new, [name, options]}, Table.id(table))
    else
      Escape.refuse(:ets, :new, [name, options], nil)
    end
  end

  @doc "`:ets.delete/1`."
  def delete(id) do
    case Context.get() do
      nil ->
        :ets.delete(id)

      ctx ->
        operate(ctx, {:delete, [id]}, {:table, true}, fn table ->
          :ets.delete(table.tid)
          Table.forget(ctx, table)
          true
        end)
    end
  end

  @doc "`:ets.select/3`."
  def select(id, spec, limit), do: limited(:select, id, spec, limit, spec)

  @doc "`:ets.match/3`."
  def match(id, pattern, limit), do: limited(:match, id, pattern, limit, [{pattern, [], [:"$$"]}])

  @doc "`:ets.match_object/3`."
  def match_object(id, pattern, limit), do: limited(:match_object, id, pattern, limit, [{pattern, [], [:"$_"]}])

  defp limited(function, id, pattern, limit, spec) do
    case Context.get() do
      nil -> apply(:ets, function, [id, pattern, limit])
      ctx -> operate(ctx, {function, [id, pattern, limit]}, {:table, false}, &Order.select(&1, id, spec, limit))
    end
  end

  for function <- [:select, :match, :match_object] do
    @doc "`:ets.#{function}/1`."
    def unquote(function)({:"$lockstep_select", id, _, _, _, _} = continuation) do
      operate(Context.get(), {unquote(function), [id]}, {:table, false}, &Order.more(&1, continuation))
    end

    def unquote(function)(continuation), do: apply(:ets, unquote(function), [continuation])
  end

  @doc "`:ets.foldl/3`."
  def foldl(fun, acc, id), do: if(Context.inside?(), do: fold(fun, acc, id, :left), else: :ets.foldl(fun, acc, id))

  @doc "`:ets.foldr/3`."
  def foldr(fun, acc, id), do: if(Context.inside?(), do: fold(fun, acc, id, :right), else: :ets.foldr(fun, acc, id))

  # As the VM's own fold, which walks the table and looks each key up: others may change it meanwhile.
  defp fold(fun, acc, id, direction) do
    keys = operate(Context.get(), {:"fold#{direction}", [id]}, {:table, false}, &Order.keys/1)
    keys = if direction == :left, do: keys, else: Enum.reverse(keys)
    Enum.reduce(keys, acc, fn key, acc -> List.foldl(lookup(id, key), acc, fun) end)
  end

  @doc "`:ets.whereis/1`."
  def whereis(name) do
    case Context.get() do
      ctx when ctx != nil and is_atom(name) ->
        announce(ctx, {ctx.node, name}, false)
        table = Table.find(ctx, name)
        noted(ctx, {:whereis, [name]}, if(table, do: table.id, else: :undefined))

      _ ->
        :ets.whereis(name)
    end
  end

  @doc "`:ets.all/0`."
  def all do
    case Context.get() do
      nil -> :ets.all()
      ctx -> ctx |> Table.all() |> Enum.map(&Table.id/1)
    end
  end

  @doc "`:ets.info/1`."
  def info(id) do
    case Context.get() do
      nil -> :ets.info(id)
      ctx -> inform(ctx, [id], fn table -> table.tid |> :ets.info() |> Enum.map(&virtual(&1, table)) end)
    end
  end

  @doc "`:ets.info/2`."
  def info(id, item) do
    case Context.get() do
      nil -> :ets.info(id, item)
      _ctx when item in @host_items -> Escape.call(:ets, :info, [id, item], nil)
      ctx -> inform(ctx, [id, item], &elem(virtual({item, :ets.info(&1.tid, item)}, &1), 1))
    end
  end

  defp inform(ctx, [id | _] = args, fun) do
    if is_atom(id) or is_reference(id) do
      announce(ctx, object(ctx, id, :table, args), false)
      table = Table.find(ctx, id)
      noted(ctx, {:info, args}, if(table, do: guarded({:info, args}, fn -> fun.(table) end), else: :undefined))
    else
      apply(:ets, :info, args)
    end
  end

  defp virtual({:owner, _}, table), do: {:owner, table.owner}
  defp virtual({:node, _}, table), do: {:node, table.node}
  defp virtual({:id, _}, table), do: {:id, table.id}
  defp virtual({:named_table, _}, table), do: {:named_table, table.named?}
  defp virtual(item, _table), do: item

  ## Not simulated

  @doc "`:ets.give_away/3`."
  def give_away(table, pid, data), do: Escape.refuse(:ets, :give_away, [table, pid, data], nil)

  @doc "`:ets.setopts/2`."
  def setopts(table, options), do: Escape.refuse(:ets, :setopts, [table, options], nil)

  @doc "`:ets.rename/2`."
  def rename(table, name), do: Escape.refuse(:ets, :rename, [table, name], nil)

  ## The life of an operation

  # The table is looked up twice: before the turn for what to announce, and after it, for others may have come first.
  defp operate(ctx, {function, [id | args]} = call, {scope, write?}, fun) do
    announce(ctx, object(ctx, id, scope, args), write?)

    case Table.find(ctx, id) do
      nil -> absent(call)
      table -> noted(ctx, {function, [id | args]}, guarded(call, fn -> fun.(table) end))
    end
  end

  defp announce(ctx, object, write?) do
    Turn.take(Native.access(ctx.session, ctx.id, :erlang.phash2(object), write?))
  end

  defp object(ctx, id, scope, args) do
    case Table.find(ctx, id) do
      nil -> {ctx.node, id}
      table -> {table.number, part(table, scope, args)}
    end
  end

  defp part(_table, :key, [key | _]), do: {:key, key}
  defp part(%{keypos: at}, :object, [object | _]) when tuple_size(object) >= at, do: {:key, elem(object, at - 1)}
  defp part(_table, _scope, _args), do: :all

  # A real table that the run knows nothing of was made outside of it, and what is in it is not under control.
  defp absent({function, [id | _] = args}) do
    if is_reference(id) and Table.exists?(id) do
      Escape.call(:ets, function, args, nil)
    else
      {:current_stacktrace, [_info | stack]} = Process.info(self(), :current_stacktrace)
      fail({function, args}, :badarg, stack, error_info: %{module: :erl_stdlib_errors, cause: :id})
    end
  end

  # An exception has to look as if `:ets` had been called with what the program passed: the real table's identity
  # differs from run to run. What the VM says of the cause is kept.
  defp guarded({function, args}, fun) do
    fun.()
  catch
    :error, reason ->
      location = with [{:ets, ^function, _, location} | _] <- __STACKTRACE__, do: location, else: (_ -> [])
      fail({function, args}, reason, __STACKTRACE__, location)
  end

  defp fail({function, args}, reason, stack, location) do
    Turn.note(Context.get(), fn -> {"#{text(function, args)} raises", {function, args, reason}} end)
    stack = stack |> Enum.drop_while(&(not Stack.own?(&1))) |> Enum.reject(&Stack.own?/1)
    :erlang.raise(:error, reason, [{:ets, function, args, location} | stack])
  end

  defp noted(ctx, {function, args}, result) do
    Turn.note(ctx, fn -> {"#{text(function, args)} = #{inspect(result)}", {function, args, result}} end)
    result
  end

  defp text(function, args), do: "ets.#{function}(#{Enum.map_join(args, ", ", &inspect/1)})"
end
