defmodule Lockstep.Runtime.PersistentTerm do
  @moduledoc false
  # `:persistent_term`, one collection a node, empty when the node starts: the terms of the VM itself are none of it.

  alias Lockstep.Runtime.{Context, Shared, Turn}

  require Turn

  @word :erlang.system_info(:wordsize)

  @doc "`:persistent_term.get/0`, in the order of the keys."
  def get do
    case Context.get() do
      nil ->
        :persistent_term.get()

      ctx ->
        touch(ctx, :all, false)
        noted(ctx, "get", [], all(ctx))
    end
  end

  @doc "`:persistent_term.get/1`."
  def get(key) do
    case Context.get() do
      nil ->
        :persistent_term.get(key)

      ctx ->
        case find(ctx, key) do
          {:ok, value} -> noted(ctx, "get", [key], value)
          :error -> fail({:persistent_term, :get, [key]})
        end
    end
  end

  @doc "`:persistent_term.get/2`."
  def get(key, default) do
    case Context.get() do
      nil -> :persistent_term.get(key, default)
      ctx -> noted(ctx, "get", [key, default], with({:ok, value} <- find(ctx, key), do: value, else: (_ -> default)))
    end
  end

  @doc "`:persistent_term.put/2`."
  def put(key, value) do
    case Context.get() do
      nil ->
        :persistent_term.put(key, value)

      ctx ->
        touch(ctx, {:key, key}, true)
        :ets.insert(ctx.store, {{:persistent, ctx.node, key}, value})
        noted(ctx, "put", [key, value], :ok)
    end
  end

  @doc "`:persistent_term.put_new/2`, of later releases."
  def put_new(key, value) do
    case Context.get() do
      nil ->
        apply(:persistent_term, :put_new, [key, value])

      ctx ->
        touch(ctx, {:key, key}, true)
        entry = {{:persistent, ctx.node, key}, value}
        new? = :ets.insert_new(ctx.store, entry) or :ets.lookup(ctx.store, elem(entry, 0)) === [entry]
        if new?, do: noted(ctx, "put_new", [key, value], :ok), else: fail({:persistent_term, :put_new, [key, value]})
    end
  end

  @doc "`:persistent_term.erase/1`."
  def erase(key) do
    case Context.get() do
      nil ->
        :persistent_term.erase(key)

      ctx ->
        touch(ctx, {:key, key}, true)
        noted(ctx, "erase", [key], :ets.take(ctx.store, {:persistent, ctx.node, key}) != [])
    end
  end

  @doc "`:persistent_term.info/0`. The memory is that of the terms themselves."
  def info do
    case Context.get() do
      nil ->
        :persistent_term.info()

      ctx ->
        touch(ctx, :all, false)
        terms = all(ctx)
        memory = terms |> Enum.map(&:erts_debug.flat_size/1) |> Enum.sum()
        noted(ctx, "info", [], %{count: length(terms), memory: memory * @word})
    end
  end

  @doc "Empties the collection of a node that starts."
  @spec forget(Context.t(), node()) :: :ok
  def forget(ctx, node) do
    :ets.match_delete(ctx.store, {{:persistent, node, :_}, :_})
    :ok
  end

  defp all(ctx) do
    ctx.store |> :ets.match({{:persistent, ctx.node, :"$1"}, :"$2"}) |> Enum.map(&List.to_tuple/1) |> Enum.sort()
  end

  defp find(ctx, key) do
    touch(ctx, {:key, key}, false)

    case :ets.lookup(ctx.store, {:persistent, ctx.node, key}) do
      [{_, value}] -> {:ok, value}
      [] -> :error
    end
  end

  # All terms of a node are one container.
  defp touch(ctx, :all, write?), do: Shared.announce(ctx, container(ctx), nil, write?)
  defp touch(ctx, {:key, key}, write?), do: Shared.announce(ctx, container(ctx), Shared.number(key), write?)

  defp container(ctx), do: Shared.number({:persistent_term, ctx.node})

  defp noted(ctx, function, args, result) do
    Turn.note(ctx, fn -> {"#{text(function, args)} = #{inspect(result)}", {function, args, result}} end)
    result
  end

  defp fail({_, function, args} = call) do
    Turn.note(Context.get(), fn -> {"#{text(function, args)} raises", {function, args}} end)
    {:current_stacktrace, [_info | stack]} = Process.info(self(), :current_stacktrace)
    Shared.fail(call, :badarg, stack, error_info: %{module: :erl_erts_errors})
  end

  defp text(function, args), do: "persistent_term.#{function}(#{Enum.map_join(args, ", ", &inspect/1)})"
end
