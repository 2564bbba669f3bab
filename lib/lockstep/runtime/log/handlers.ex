defmodule Lockstep.Runtime.Log.Handlers do
  @moduledoc false
  # The handlers of `:logger` that a program adds; each node has its own. They run in the process that logs, as on the
  # VM, where those that print are left out: what is printed belongs to the run.

  alias Lockstep.Runtime.{Call, Context}

  @doc "`:logger.add_handler/3`."
  @spec add_handler(atom(), module(), map()) :: :ok | {:error, term()}
  def add_handler(id, module, config) do
    case Context.get() do
      nil -> :logger.add_handler(id, module, config)
      ctx -> add(ctx, id, Map.merge(%{level: :all, filters: [], filter_default: :log}, config), module)
    end
  end

  defp add(ctx, id, config, module) do
    if List.keymember?(of(ctx), id, 0) do
      {:error, {:already_exist, id}}
    else
      config = Map.merge(config, %{id: id, module: module})
      adding(ctx, id, config, callback(module, :adding_handler, [config]))
    end
  end

  defp adding(ctx, id, _config, {:ok, config}) do
    put(ctx, of(ctx) ++ [{id, config}])
    :ok
  end

  defp adding(ctx, id, config, :none), do: adding(ctx, id, config, {:ok, config})
  defp adding(_ctx, _id, _config, {:error, reason}), do: {:error, {:handler_not_added, reason}}

  @doc "`:logger.remove_handler/1`."
  @spec remove_handler(atom()) :: :ok | {:error, term()}
  def remove_handler(id) do
    case Context.get() do
      nil -> :logger.remove_handler(id)
      ctx -> remove(ctx, id, List.keyfind(of(ctx), id, 0))
    end
  end

  defp remove(_ctx, id, nil), do: {:error, {:not_found, id}}

  defp remove(ctx, id, {id, config}) do
    put(ctx, List.keydelete(of(ctx), id, 0))
    callback(config.module, :removing_handler, [config])
    :ok
  end

  @doc "`:logger.get_handler_ids/0`."
  @spec get_handler_ids() :: [atom()]
  def get_handler_ids do
    case Context.get() do
      nil -> :logger.get_handler_ids()
      ctx -> for {id, _config} <- of(ctx), do: id
    end
  end

  @doc "`:logger.get_handler_config/1`."
  @spec get_handler_config(atom()) :: {:ok, map()} | {:error, term()}
  def get_handler_config(id) do
    case Context.get() do
      nil ->
        :logger.get_handler_config(id)

      ctx ->
        with nil <- List.keyfind(of(ctx), id, 0), do: {:error, {:not_found, id}}, else: ({_, config} -> {:ok, config})
    end
  end

  @doc "Gives a message to the handlers of the node it is logged on."
  @spec call(Context.t(), map()) :: :ok
  def call(ctx, event) do
    for {id, config} <- of(ctx), wanted?(event.level, config.level), do: handle(ctx, id, config, event)
    :ok
  end

  # A handler that fails is removed (Kernel User's Guide, Logging).
  defp handle(ctx, id, config, event) do
    case Enum.reduce_while(config.filters, event, &filter/2) do
      :stop -> :ok
      event -> Call.apply(config.module, :log, [event, config])
    end
  catch
    _, _ -> put(ctx, List.keydelete(of(ctx), id, 0))
  end

  defp filter({_id, {fun, argument}}, event) do
    case Call.apply(fun, [event, argument]) do
      :stop -> {:halt, :stop}
      :ignore -> {:cont, event}
      event -> {:cont, event}
    end
  end

  defp wanted?(_level, :all), do: true
  defp wanted?(_level, :none), do: false
  defp wanted?(level, lowest), do: :logger.compare_levels(level, lowest) != :lt

  defp callback(module, function, args) do
    if Code.ensure_loaded?(module) and function_exported?(module, function, length(args)) do
      Call.apply(module, function, args)
    else
      :none
    end
  end

  defp of(ctx) do
    case :ets.lookup(ctx.store, {:log_handlers, ctx.node}) do
      [{_, handlers}] -> handlers
      [] -> []
    end
  end

  defp put(ctx, handlers), do: :ets.insert(ctx.store, {{:log_handlers, ctx.node}, handlers})
end
