defmodule Lockstep.Runtime.Distribution do
  @moduledoc false
  # Whether a node is part of the distribution (`erlang:is_alive/0`), and how it comes to be (`net_kernel:start/2`).
  #
  # A node that is not alive is `nonode@nohost` to itself, connects to nobody and is reached by nobody. A simulated node has
  # the name that it was started with all the same, and can become alive under no other. The control node is alive.

  alias Lockstep.{ClusterError, Native}
  alias Lockstep.Runtime.{Context, Services, Tally, Turn}

  require Turn

  @control :nonode@nohost

  @doc "Whether the caller's node is alive."
  @spec alive?(Context.t()) :: boolean()
  def alive?(ctx), do: Tally.get(ctx, :nodes_not_alive) == 0 or not :ets.member(ctx.store, {:not_alive, ctx.node})

  @doc "Says of a node that is being started whether it is alive from the start."
  @spec boot(Context.t(), node(), boolean()) :: :ok
  def boot(ctx, node, alive?) do
    :ets.delete(ctx.store, {:made_alive, node})
    set(ctx, node, alive?)
  end

  defp set(ctx, node, true) do
    with [_] <- :ets.take(ctx.store, {:not_alive, node}) do
      Tally.add(ctx, :nodes_not_alive, -1)
      configure(ctx, node, true)
    end

    :ok
  end

  defp set(ctx, node, false) do
    if :ets.insert_new(ctx.store, {{:not_alive, node}}), do: Tally.add(ctx, :nodes_not_alive, 1)
    configure(ctx, node, false)
  end

  defp configure(ctx, node, alive?) do
    Turn.take(Native.configure(ctx.session, ctx.id, node, {:alive, alive?}))
    Turn.note(ctx, fn -> {"node #{inspect(node)} is #{unless alive?, do: "not "}alive", {node, alive?}} end)
  end

  @doc "`:net_kernel.start/1`."
  @spec start(list()) :: {:ok, pid()} | {:error, term()}
  def start([name | _options] = options) do
    if Context.inside?(), do: start(name, %{}), else: apply(:net_kernel, :start, [options])
  end

  @doc "`:net_kernel.start/2`. Long and short names are all the same."
  @spec start(node(), map()) :: {:ok, pid()} | {:error, term()}
  def start(name, options) do
    case Context.get() do
      nil -> apply(:net_kernel, :start, [name, options])
      ctx -> begin(ctx, name, alive?(ctx))
    end
  end

  # The control node has been alive all the time, and is made so for the programs that want to.
  defp begin(%{node: @control} = ctx, _name, true) do
    if :ets.insert_new(ctx.store, {{:made_alive, @control}}), do: {:ok, net_kernel(ctx)}, else: started(ctx)
  end

  defp begin(ctx, _name, true), do: started(ctx)

  defp begin(%{node: node} = ctx, node, false) do
    :ets.insert(ctx.store, {{:made_alive, node}})
    set(ctx, node, true)
    {:ok, net_kernel(ctx)}
  end

  defp begin(ctx, name, false), do: raise(ClusterError, reason: {:other_name, ctx.node, name})

  defp started(ctx), do: {:error, {:already_started, net_kernel(ctx)}}

  defp net_kernel(ctx) do
    Services.ensure(ctx, :net_kernel)
    Services.pid(ctx, ctx.node, :net_kernel)
  end

  @doc "`:net_kernel.get_state/0`, of OTP 25. The control node was started without a name."
  @spec get_state() :: map()
  def get_state do
    case Context.get() do
      nil -> apply(:net_kernel, :get_state, [])
      ctx -> state(ctx, alive?(ctx), :ets.member(ctx.store, {:made_alive, ctx.node}))
    end
  end

  defp state(_ctx, false, _made?), do: %{started: :no}
  defp state(%{node: @control}, true, false), do: %{started: :no}

  defp state(%{node: node}, true, made?) do
    domain = if String.contains?(Atom.to_string(node), "."), do: :longnames, else: :shortnames
    started = if made?, do: :dynamic, else: :static
    %{started: started, name: node, name_type: :static, name_domain: domain}
  end

  @doc "`:net_kernel.stop/0`: for a node that was made alive by `start/2`."
  @spec stop() :: :ok | {:error, :not_allowed | :not_found}
  def stop do
    case Context.get() do
      nil ->
        apply(:net_kernel, :stop, [])

      ctx ->
        if alive?(ctx), do: finish(ctx, :ets.take(ctx.store, {:made_alive, ctx.node})), else: {:error, :not_found}
    end
  end

  defp finish(_ctx, []), do: {:error, :not_allowed}
  defp finish(%{node: @control}, _made), do: :ok

  # The core closes the node's connections in the same step.
  defp finish(ctx, _made), do: set(ctx, ctx.node, false)
end
