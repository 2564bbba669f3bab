defmodule Lockstep.Runtime.Atomics do
  @moduledoc false
  # `:atomics`: real ones, under references of the run's own, that mean something on the node that made them only.

  alias Lockstep.Runtime.{Context, Escape, Identity, Shared, Turn}

  require Turn

  # `{function, arity, whether it writes}`
  @operations [
    {:get, 2, false},
    {:put, 3, true},
    {:add, 3, true},
    {:add_get, 3, true},
    {:sub, 3, true},
    {:sub_get, 3, true},
    {:exchange, 3, true},
    {:compare_exchange, 4, true}
  ]

  @doc "`:atomics.new/2`."
  def new(arity, options) do
    case Context.get() do
      nil -> :atomics.new(arity, options)
      ctx -> enter(ctx, guarded({:atomics, :new, [arity, options]}, fn -> :atomics.new(arity, options) end))
    end
  end

  # Nobody else knows of it yet: no scheduling point.
  defp enter(ctx, real) do
    {ref, _} = Identity.new_ref(ctx)
    :ets.insert(ctx.store, {{:atomics, ctx.node, ref}, real})
    ref
  end

  for {function, arity, write?} <- @operations do
    [_ref, index | rest] = args = Macro.generate_arguments(arity, __MODULE__)

    @doc "`:atomics.#{function}/#{arity}`."
    def unquote(function)(unquote_splicing(args)) do
      case Context.get() do
        nil ->
          :atomics.unquote(function)(unquote_splicing(args))

        ctx ->
          entry = Shared.number(unquote(index))
          call = {:atomics, unquote(function), unquote(args)}

          operate(
            ctx,
            call,
            entry,
            unquote(write?),
            &:atomics.unquote(function)(&1, unquote_splicing([index | rest]))
          )
      end
    end
  end

  @doc "`:atomics.info/1`."
  def info(ref) do
    case Context.get() do
      nil -> :atomics.info(ref)
      ctx -> operate(ctx, {:atomics, :info, [ref]}, nil, false, &:atomics.info/1)
    end
  end

  defp operate(ctx, {_, function, [ref | _] = args} = call, entry, write?, fun) do
    Shared.announce(ctx, Shared.number({:atomics, ref}), entry, write?)
    real = real(ctx, ref)
    if real == ref and real?(ref), do: Escape.note(ctx, :atomics, function, length(args), nil)
    result = guarded(call, fn -> fun.(real) end)
    Turn.note(ctx, fn -> {"#{text(call)} = #{inspect(result)}", {function, args, result}} end)
    result
  end

  defp real(ctx, ref) do
    case :ets.lookup(ctx.store, {:atomics, ctx.node, ref}) do
      [{_, real}] -> real
      [] -> ref
    end
  end

  # One that was made outside of the run is not under control.
  defp real?(ref) do
    is_map(:atomics.info(ref))
  rescue
    ArgumentError -> false
  end

  @doc "Does `fun`; an exception looks as if it came from `call`, of which `format_error/2` knows what is wrong."
  @spec guarded(mfa :: {module(), atom(), [term()]}, (... -> result)) :: result when result: term()
  def guarded({module, function, args} = call, fun) do
    fun.()
  catch
    :error, reason ->
      Turn.note(Context.get(), fn -> {"#{text(call)} raises", {module, function, args}} end)
      Shared.fail(call, reason, __STACKTRACE__, error_info: Map.put(cause(__STACKTRACE__), :module, __MODULE__))
  end

  defp cause([{_, _, _, location} | _]), do: location |> Keyword.get(:error_info, %{}) |> Map.take([:cause])
  defp cause(_), do: %{}

  defp text({module, function, args}), do: "#{module}.#{function}(#{Enum.map_join(args, ", ", &inspect/1)})"

  @doc """
  What is wrong with the arguments of a function of `:atomics` or `:counters`.

  The VM can tell only of references that it knows.
  """
  @spec format_error(term(), Exception.stacktrace()) :: %{pos_integer() => iodata()}
  def format_error(reason, [{module, function, args, location} | callers]) do
    ctx = Context.get()
    args = if ctx, do: Enum.map(args, &known(ctx, &1)), else: args
    :erl_erts_errors.format_error(reason, [{module, function, args, location} | callers])
  end

  defp known(ctx, {kind, ref}) when is_reference(ref), do: {if(ctx, do: :atomics, else: kind), real(ctx, ref)}
  defp known(ctx, argument), do: real(ctx, argument)

  @doc "Forgets what was made on a node before it starts again."
  @spec forget(Context.t(), node()) :: :ok
  def forget(ctx, node) do
    :ets.match_delete(ctx.store, {{:atomics, node, :_}, :_})
    :ok
  end
end
