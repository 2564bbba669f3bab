defmodule Lockstep.Cluster.Start do
  @moduledoc false
  # The start of a node: what it is, whom it knows, what runs on it.

  import Lockstep.Cluster.Arguments, only: [error: 1]

  alias Lockstep.Cluster.Run
  alias Lockstep.Native

  alias Lockstep.Runtime.{
    Applications,
    Atomics,
    Call,
    Connections,
    Context,
    Distribution,
    Faults,
    Mailbox,
    Mesh,
    PersistentTerm,
    Turn
  }

  require Turn

  @control :nonode@nohost
  # Virtual ms between two looks at a node that somebody else starts.
  @every 10

  @doc "Starts a node, unless it is up or somebody else starts it."
  @spec start(Context.t(), node(), keyword()) :: :ok
  def start(ctx, node, options) do
    cond do
      up?(ctx, node) -> :ok
      :ets.insert_new(ctx.store, {{:starter, node}, ctx.pid}) -> start_alone(ctx, node, options)
      under_way?(ctx, node) -> Mailbox.pause(@every) && start(ctx, node, options)
      # Who was about to has been killed.
      true -> :ets.delete(ctx.store, {:starter, node}) && start(ctx, node, options)
    end
  end

  @doc "Starts a node that is down as it was started last."
  @spec again(Context.t(), node()) :: :ok
  def again(ctx, node) do
    [{_, options}] = :ets.lookup(ctx.store, {:start_options, node})
    start(ctx, node, options)
  end

  @doc "Whether somebody else is still busy starting a node."
  @spec under_way?(Context.t(), node()) :: boolean()
  def under_way?(ctx, node) do
    case :ets.lookup(ctx.store, {:starter, node}) do
      [{_, pid}] -> pid != ctx.pid and Native.alive(ctx.session, pid)
      [] -> false
    end
  end

  defp up?(ctx, node), do: {node, true} in Native.nodes(ctx.session)

  defp start_alone(ctx, node, options) do
    boot(ctx, node, options)
    run(ctx, node, options[:start])
  after
    :ets.delete(ctx.store, {:starter, node})
  end

  defp boot(ctx, node, options) do
    :ets.insert(ctx.store, {{:start_options, node}, options})
    plain? = options == [] and not Mesh.running?(ctx)
    Turn.take(Native.start_node(ctx.session, ctx.id, node, plain?))
    Turn.note(ctx, fn -> {"start node #{inspect(node)}#{with_options(options)}", {node, options}} end)
    forget(ctx, node)
    configure(ctx, node, options)
    if Mesh.running?(ctx), do: Mesh.extend(ctx, node)
    if Keyword.get(options, :connect, true) and not plain?, do: connect(ctx, node)
  end

  defp with_options([]), do: ""

  defp with_options(options),
    do: ", #{Enum.map_join(options, ", ", fn {key, value} -> "#{key}: #{inspect(value)}" end)}"

  # What the node had before it was stopped.
  defp forget(ctx, node) do
    lives = :ets.update_counter(ctx.store, {:creation, node}, 1, {{:creation, node}, 0})
    if lives > 1, do: forget_life(ctx, node)
  end

  defp forget_life(ctx, node) do
    PersistentTerm.forget(ctx, node)
    Atomics.forget(ctx, node)
    for key <- [:cookie, :allowed, :net_ticktime], do: :ets.delete(ctx.store, {key, node})
    :ets.match_delete(ctx.store, {{:service, node, :_}, :_})
    :ets.match_delete(ctx.store, {{:cookie, node, :_}, :_})
    :ets.match_delete(ctx.store, {{:clock_monitor, node, :_}, :_, :_, :_})
    Faults.leave(ctx, node)
  end

  defp configure(ctx, node, options) do
    kernel = get_in(options, [:env, :kernel]) || []
    Applications.set_node_env(ctx, node, Keyword.get(options, :env, []))
    Distribution.boot(ctx, node, Keyword.get(options, :distributed, true))
    if options[:hidden], do: set(ctx, node, {:hidden, true})
    if cookie = options[:cookie], do: set_cookie(ctx, node, cookie)
    if when_to = kernel[:dist_auto_connect], do: set(ctx, node, {:auto_connect, when_to})
    if kernel[:net_ticktime] || kernel[:net_tickintensity], do: set_ticks(ctx, node, kernel)
  end

  defp set_cookie(ctx, node, cookie) do
    set(ctx, node, {:cookie, cookie})
    :ets.insert(ctx.store, {{:cookie, node}, cookie})
  end

  defp set_ticks(ctx, node, kernel) do
    seconds = Keyword.get(kernel, :net_ticktime, 60)
    set(ctx, node, {:tick, seconds * 1_000_000, Keyword.get(kernel, :net_tickintensity, 4)})
    :ets.insert(ctx.store, {{:net_ticktime, node}, seconds})
  end

  defp set(ctx, node, setting), do: Turn.take(Native.configure(ctx.session, ctx.id, node, setting))

  # To the nodes that take it: as if it had been one of them from the start.
  defp connect(ctx, node) do
    others = for {other, true} <- Native.nodes(ctx.session), other not in [node, @control], do: other
    cookie = Connections.cookie(ctx, node)

    for other <- others,
        Connections.cookie(ctx, other) == cookie,
        do: Turn.take(Native.join(ctx.session, ctx.id, node, other))
  end

  defp run(_ctx, _node, nil), do: :ok
  defp run(ctx, node, fun) when is_function(fun), do: Run.keep(ctx, node, fun)

  defp run(ctx, node, application) do
    started = Run.run(ctx, node, fn -> Call.apply(Application, :ensure_all_started, [application]) end)
    with {:error, reason} <- started, do: error({:application, node, application, reason})
    :ok
  end
end
