defmodule Lockstep.Cluster.Start do
  @moduledoc false
  # The start of a node: what it is, whom it knows, what runs on it.

  alias Lockstep.{Cluster, Native}
  alias Lockstep.Runtime.{Applications, Atomics, Connections, Context, Mailbox, Mesh, PersistentTerm, Spawning, Turn}

  @control :nonode@nohost

  @doc "Starts a node that is not up."
  @spec start(Context.t(), node(), keyword()) :: :ok
  def start(ctx, node, options) do
    :ets.insert(ctx.store, {{:start_options, node}, options})
    connect? = Keyword.get(options, :connect, true)
    plain? = options == [] and not Mesh.running?(ctx)
    Turn.take(Native.start_node(ctx.session, ctx.id, node, plain?))
    Turn.note(ctx, fn -> {"start node #{inspect(node)}", {node, options}} end)
    forget(ctx, node)
    configure(ctx, node, options)
    if Mesh.running?(ctx), do: Mesh.extend(ctx, node)
    if connect? and not plain?, do: connect(ctx, node)
    run(ctx, node, options[:start])
  end

  @doc "Starts a node that is down as it was started before, unless somebody else is about to."
  @spec again(Context.t(), node()) :: :ok
  def again(ctx, node) do
    down? = {node, true} not in Native.nodes(ctx.session)

    if down? and :ets.insert_new(ctx.store, {{:being_started, node}}) do
      restart(ctx, node)
    else
      :ok
    end
  end

  defp restart(ctx, node) do
    [{_, options}] = :ets.lookup(ctx.store, {:start_options, node})
    start(ctx, node, options)
  catch
    # It has gone down again while it was being started.
    :exit, _reason -> :ok
  after
    :ets.delete(ctx.store, {:being_started, node})
  end

  # What the node had before it was stopped.
  defp forget(ctx, node) do
    PersistentTerm.forget(ctx, node)
    Atomics.forget(ctx, node)
    for key <- [:cookie, :allowed, :net_ticktime], do: :ets.delete(ctx.store, {key, node})
    :ets.match_delete(ctx.store, {{:service, node, :_}, :_})
    :ets.match_delete(ctx.store, {{:cookie, node, :_}, :_})
    :ets.update_counter(ctx.store, {:creation, node}, 1, {{:creation, node}, 0})
  end

  defp configure(ctx, node, options) do
    kernel = get_in(options, [:env, :kernel]) || []
    Applications.set_node_env(ctx, node, Keyword.get(options, :env, []))
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

  # Its process stays: what it has started is linked to it.
  defp run(ctx, node, fun) when is_function(fun) do
    caller = ctx.pid
    tag = {:"$lockstep_node_started", node}

    {_pid, monitor} = Spawning.spawn_on(node, fn -> stay(fun, caller, tag) end, monitor: {:DOWN, nil})

    case Mailbox.await(&outcome(&1, tag, monitor), :infinity) do
      :ok -> Lockstep.Runtime.Monitor.demonitor(monitor, [:flush]) && :ok
      {:down, reason} -> exit(reason)
    end
  end

  defp run(_ctx, node, application) do
    started =
      Cluster.run(node, fn -> Lockstep.Runtime.Call.apply(Application, :ensure_all_started, [application]) end)

    with {:error, reason} <- started, do: Cluster.Arguments.error({:application, node, application, reason})
    :ok
  end

  defp stay(fun, caller, tag) do
    ctx = Context.get()
    Lockstep.Runtime.Call.apply(fun, [])
    Native.daemon(ctx.session, ctx.pid)
    Lockstep.Runtime.Message.send(caller, tag)
    Mailbox.await(fn _ -> :skip end, :infinity)
  end

  defp outcome(tag, tag, _monitor), do: {:ok, :ok}
  defp outcome({:DOWN, monitor, :process, _pid, reason}, _tag, monitor), do: {:ok, {:down, reason}}
  defp outcome(_message, _tag, _monitor), do: :skip
end
