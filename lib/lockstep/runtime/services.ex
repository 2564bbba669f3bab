defmodule Lockstep.Runtime.Services do
  @moduledoc false
  # The processes that a node of the VM has before any program runs, and that programs reach by name.
  #
  # Most programs never do, so each is started when a process of its node first asks for its name. They are OTP's and
  # Elixir's own code, except for those that print. None of them counts as waiting for ever.

  alias Lockstep.Native

  alias Lockstep.Runtime.{
    Applications,
    Call,
    Context,
    Flags,
    Leader,
    Mailbox,
    Mesh,
    Message,
    NetKernel,
    Onlooker,
    Process,
    Spawning,
    Turn
  }

  @names [
    :application_controller,
    :global_name_server,
    :kernel_safe_sup,
    :kernel_sup,
    :net_kernel,
    :rex,
    :standard_error,
    :user,
    ExUnit.CaptureServer
  ]

  # Reports do not show it.
  @started :"$lockstep_service"
  # Virtual ms.
  @first_pause 1

  @doc "Makes sure that the service of that name runs, here or on the node that goes with it, if there is one."
  @spec ensure(Context.t(), term()) :: :ok
  def ensure(ctx, name) when name in @names, do: ensure_named(ctx, ctx.node, name)
  def ensure(ctx, {name, node}) when name in @names, do: ensure_named(ctx, node, name)
  def ensure(_ctx, _name), do: :ok

  defp ensure_named(ctx, node, name) do
    if Onlooker.looking?(), do: Onlooker.need(ctx, node, name), else: start_named(ctx, node, name)
  end

  defp start_named(ctx, node, name) do
    if name == :global_name_server, do: Mesh.ensure(ctx)
    ensure_on(ctx, node, name)
  end

  @doc "Makes sure that the service `name` runs on a node, if that is up."
  @spec ensure_on(Context.t(), node(), atom()) :: :ok
  def ensure_on(ctx, node, name) do
    known = :ets.lookup(ctx.store, {:service, node, name})

    # Nearly always it runs, and that is soon said.
    if runs?(known, ctx) or name in Native.names(ctx.session, node) or {node, true} not in Native.nodes(ctx.session),
      do: :ok,
      else: start(ctx, node, name, known)
  end

  # It may have given its name away for a while.
  defp runs?([{_, {:running, root}}], ctx), do: Native.alive(ctx.session, root)
  defp runs?(_unknown, _ctx), do: false

  @doc "Waits until the service, which somebody is starting, is ready: it has its name before it hears of anything."
  @spec await(Context.t(), node(), atom()) :: :ok
  def await(ctx, node, name) do
    case :ets.lookup(ctx.store, {:service, node, name}) do
      [{_, {:starting, root}}] -> wait(root, ctx, {:service, node, name}, @first_pause)
      _ -> :ok
    end
  end

  @doc """
  As `ensure/2`, and waits until it is ready: it has its name before it has its tables.

  What is part of it, or of another service, does not wait.
  """
  @spec ready(Context.t(), atom()) :: :ok
  def ready(ctx, name) do
    ensure(ctx, name)

    with false <- ctx.service? or Onlooker.looking?(),
         [{_, {:starting, root}}] <- :ets.lookup(ctx.store, {:service, ctx.node, name}),
         true <- Native.alive(ctx.session, root) do
      Turn.take(Native.yield(ctx.session, ctx.id))
      ready(ctx, name)
    else
      _ -> :ok
    end
  end

  @doc "Whether the service `name` has been started on the caller's node."
  @spec running?(Context.t(), atom()) :: boolean()
  def running?(ctx, name), do: match?([{_, {:running, _}}], :ets.lookup(ctx.store, {:service, ctx.node, name}))

  @doc "The process behind a service that runs on a node, if it is the one that was started for it."
  @spec pid(Context.t(), node(), atom()) :: pid() | nil
  def pid(ctx, node, name) do
    case :ets.lookup(ctx.store, {:service, node, name}) do
      [{_, {:running, root}}] -> root
      _ -> nil
    end
  end

  defp start(%{pid: root}, _node, _name, [{_, {:starting, root}}]), do: :ok

  # Somebody else is about to: it takes a few steps.
  defp start(ctx, node, name, [{_, {:starting, root}}]) do
    if Native.alive(ctx.session, root) do
      Turn.take(Native.yield(ctx.session, ctx.id))
      ensure_on(ctx, node, name)
    else
      start(ctx, node, name, [])
    end
  end

  # It has ended for good.
  defp start(ctx, node, name, [{_, {:running, _root}}]), do: start(ctx, node, name, [])

  defp start(%{node: node} = ctx, node, name, []) do
    caller = ctx.pid
    ref = Lockstep.Runtime.Unique.make_ref()
    root = spawn_root(ctx, node, name, fn -> Message.send(caller, {@started, ref}) end)

    if Native.alive(ctx.session, root),
      do: Mailbox.await(&if(&1 == {@started, ref}, do: {:ok, :started}, else: :skip), :infinity)

    :ok
  end

  # Whatever the network does: nothing of this goes through it.
  defp start(ctx, node, name, []) do
    ctx |> spawn_root(node, name, fn -> :ok end) |> wait(ctx, {:service, node, name}, @first_pause)
  end

  defp wait(root, ctx, key, pause) do
    running? = match?([{_, {:running, _}}], :ets.lookup(ctx.store, key))

    unless running? or not Native.alive(ctx.session, root) do
      Mailbox.pause(pause)
      wait(root, ctx, key, 2 * pause)
    end

    :ok
  end

  # Until there is a root the caller stands for it, so that nobody else begins.
  defp spawn_root(ctx, node, name, ready) do
    :ets.insert(ctx.store, {{:service, node, name}, {:starting, ctx.pid}})
    root = Spawning.spawn_on(node, fn -> root(name, ready) end, [])
    Native.daemon(ctx.session, root)
    :ets.insert(ctx.store, {{:service, node, name}, {:starting, root}})
    root
  end

  # The process that has started a service stays as its parent.
  defp root(name, ready) do
    ctx = Context.get()
    serve(ctx, name, fn -> started(ctx, name, ready) end)
  end

  defp started(ctx, name, ready) do
    :ets.insert(ctx.store, {{:service, ctx.node, name}, {:running, ctx.pid}})
    ready.()
  end

  defp serve(_ctx, name, ready) when name in [:user, :standard_error] do
    Lockstep.Runtime.Names.register(name, Process.self())
    ready.()
    Leader.loop(name)
  end

  defp serve(_ctx, :net_kernel, ready) do
    Lockstep.Runtime.Names.register(:net_kernel, Process.self())
    ready.()
    NetKernel.loop()
  end

  defp serve(ctx, name, ready) do
    Flags.process_flag(:trap_exit, true)
    {:ok, pid} = start_link(name)
    Native.daemon(ctx.session, pid)
    ready.()
    Mailbox.await(&if(match?({:EXIT, ^pid, _}, &1), do: {:ok, :ended}, else: :skip), :infinity)
    ended(ctx, name)
  end

  # Without its application controller a node does not go on: that is how a permanent application takes it along.
  defp ended(%{node: node} = ctx, :application_controller) when node != :nonode@nohost do
    Turn.take(Native.stop_node(ctx.session, ctx.id, node))
  end

  defp ended(_ctx, _name), do: :ok

  # The server of `:timer` is below one or the other, depending on the release.
  defp start_link(name) when name in [:kernel_safe_sup, :kernel_sup] do
    Call.apply(:supervisor, :start_link, [{:local, name}, :kernel, :safe])
  end

  defp start_link(:application_controller), do: Applications.start_controller()
  defp start_link(ExUnit.CaptureServer), do: Call.apply(ExUnit.CaptureServer, :start_link, [[]])

  defp start_link(:global_name_server) do
    Context.serve()
    Call.apply(:global, :start_link, [])
  end

  defp start_link(:rex), do: Call.apply(:rpc, :start_link, [])
end
