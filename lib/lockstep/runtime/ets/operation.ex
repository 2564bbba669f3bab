defmodule Lockstep.Runtime.Ets.Operation do
  @moduledoc false
  # The life of an operation on a table: its scheduling point, its result, its exceptions.

  alias Lockstep.Runtime.{Context, Escape, Identity, Shared, Turn}
  alias Lockstep.Runtime.Ets.{Spec, Table}

  require Turn

  @type call :: {atom(), [term()]}
  @typedoc """
  What is touched: the entry under a key, the entries of objects, those that a match specification speaks of, the
  whole table.
  """
  @type scope :: {:key, term()} | {:objects, term()} | {:spec, term()} | :table

  @doc """
  Does what `fun` says to the table that the caller knows as `id`.

  The table is looked up twice: before the turn for what to announce, and after it, for others may have come first.
  """
  @spec run(Context.t(), term(), call(), scope(), boolean(), (Table.t() -> result)) :: result when result: term()
  def run(ctx, id, call, scope, write?, fun) do
    announce(ctx, id, scope, write?)
    perform(ctx, id, call, fun)
  end

  @doc "What `run/6` does once the operation has been announced."
  @spec perform(Context.t(), term(), call(), (Table.t() -> result)) :: result when result: term()
  def perform(ctx, id, call, fun) do
    case Table.find(ctx, id) do
      nil -> absent(id, call)
      table -> noted(ctx, call, guarded(call, fn -> fun.(table) end))
    end
  end

  @doc "The scheduling point of an operation."
  @spec announce(Context.t(), term(), scope(), boolean()) :: :ok
  def announce(ctx, id, scope, write?) do
    case Table.find(ctx, id) do
      nil -> Shared.announce(ctx, unknown(ctx, id), nil, write?)
      table -> Shared.announce(ctx, table.object, entry(table, scope), write?)
    end
  end

  defp unknown(_ctx, ref) when is_reference(ref), do: Shared.number(Identity.number(ref))
  defp unknown(ctx, name), do: Shared.number({ctx.node, name})

  defp entry(table, {:key, key}), do: Shared.entry(table.type, key)
  defp entry(table, {:objects, [object]}), do: entry(table, {:objects, object})

  defp entry(%{keypos: at} = table, {:objects, object}) when is_tuple(object) and tuple_size(object) >= at,
    do: Shared.entry(table.type, elem(object, at - 1))

  defp entry(table, {:spec, spec}) do
    with [key] <- Spec.keys(spec, table.keypos), do: Shared.entry(table.type, key), else: (_ -> nil)
  end

  defp entry(_table, _scope), do: nil

  @doc "What comes of an operation on a table of which the run knows nothing; `fun` for one that is no more."
  @spec absent(term(), call(), (... -> result)) :: result when result: term()
  def absent(id, {function, args} = call, fun) do
    case kind(id) do
      :table -> fun.()
      # It was made outside of the run, and what is in it is not under control.
      :real -> Escape.call(:ets, function, args, nil)
      :none -> fail(call, :badarg, stack(), cause(:type))
    end
  end

  @doc "As `absent/3`, of one that the caller may do nothing with."
  @spec absent(term(), call()) :: term()
  def absent(id, call), do: absent(id, call, fn -> fail(call, :badarg, stack(), cause(:id)) end)

  defp kind(name) when is_atom(name), do: :table

  defp kind(ref) when is_reference(ref) do
    if Identity.table?(ref), do: :table, else: :ets.info(ref, :id) && :real
  rescue
    ArgumentError -> :none
  end

  defp kind(_), do: :none

  defp cause(cause), do: [error_info: %{module: :erl_stdlib_errors, cause: cause}]

  @doc """
  Does `fun`; an exception looks as if `:ets` had been called with what the program passed.

  The real table's identity differs from run to run. What the VM says of the cause is kept.
  """
  @spec guarded(call(), (... -> result)) :: result when result: term()
  def guarded({function, _args} = call, fun) do
    fun.()
  catch
    :error, reason ->
      location = with [{:ets, ^function, _, location} | _] <- __STACKTRACE__, do: location, else: (_ -> [])
      fail(call, reason, __STACKTRACE__, location)
  end

  @doc "Raises what the VM raises when a name is taken. It tells the cause, or leaves that to the arguments."
  @spec refuse(call(), atom() | nil) :: no_return()
  def refuse(call, nil), do: fail(call, :badarg, stack(), error_info: %{module: :erl_stdlib_errors})
  def refuse(call, cause), do: fail(call, :badarg, stack(), cause(cause))

  defp stack do
    {:current_stacktrace, [_info | stack]} = Process.info(self(), :current_stacktrace)
    stack
  end

  defp fail({function, args} = call, reason, stack, location) do
    Turn.note(Context.get(), fn -> {"#{text(call)} raises", {function, args, reason}} end)
    Shared.fail({:ets, function, args}, reason, stack, location)
  end

  @doc "Puts an operation and its result into words."
  @spec noted(Context.t(), call(), result) :: result when result: term()
  def noted(ctx, {function, args} = call, result) do
    Turn.note(ctx, fn -> {"#{text(call)} = #{inspect(result)}", {function, args, result}} end)
    result
  end

  defp text({:internal_delete_all, [table, _]}), do: text({:delete_all_objects, [table]})
  defp text({:internal_select_delete, args}), do: text({:select_delete, args})
  defp text({function, args}), do: "ets.#{function}(#{Enum.map_join(args, ", ", &inspect/1)})"
end
