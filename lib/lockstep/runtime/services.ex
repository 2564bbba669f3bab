defmodule Lockstep.Runtime.Services do
  @moduledoc false
  # The processes that a node of the VM has before any program runs, and that programs reach by name.
  #
  # Most programs never do, so each is started when a process of its node first asks for its name. They are OTP's and
  # Elixir's own code, except for those that print. None of them counts as waiting for ever.

  alias Lockstep.Native
  alias Lockstep.Runtime.{Applications, Call, Context, Flags, Leader, Mailbox, Message, Process, Spawning, Turn}

  @names [
    :application_controller,
    :kernel_safe_sup,
    :kernel_sup,
    :standard_error,
    :user,
    ExUnit.CaptureServer
  ]

  # Reports do not show it.
  @started :"$lockstep_service"

  @doc "Makes sure that the service `name` runs on the caller's node, if there is one of that name."
  @spec ensure(Context.t(), term()) :: :ok
  def ensure(ctx, name) when name in @names do
    if registered?(ctx, name), do: :ok, else: start(ctx, name, :ets.lookup(ctx.store, {:service, ctx.node, name}))
  end

  def ensure(_ctx, _name), do: :ok

  @doc "Whether the service `name` has been started on the caller's node."
  @spec running?(Context.t(), atom()) :: boolean()
  def running?(ctx, name), do: match?([{_, {:running, _}}], :ets.lookup(ctx.store, {:service, ctx.node, name}))

  defp registered?(ctx, name), do: name in Native.names(ctx.session, ctx.node)

  defp start(%{pid: root}, _name, [{_, {:starting, root}}]), do: :ok

  # Somebody else is about to: it takes a few steps.
  defp start(ctx, name, [{_, {:starting, root}}]) do
    if Native.alive(ctx.session, root) do
      Turn.take(Native.yield(ctx.session, ctx.id))
      ensure(ctx, name)
    else
      start(ctx, name, [])
    end
  end

  # It has given its name away for a while, or has ended for good.
  defp start(ctx, name, [{_, {:running, root}}]) do
    if Native.alive(ctx.session, root), do: :ok, else: start(ctx, name, [])
  end

  defp start(ctx, name, []) do
    caller = ctx.pid
    ref = Lockstep.Runtime.Unique.make_ref()
    root = Spawning.spawn(fn -> root(name, caller, ref) end)
    Native.daemon(ctx.session, root)
    :ets.insert(ctx.store, {{:service, ctx.node, name}, {:starting, root}})
    Mailbox.await(&if(&1 == {@started, ref}, do: {:ok, :started}, else: :skip), :infinity)
    :ok
  end

  # The process that has started a service stays as its parent.
  defp root(name, caller, ref) do
    ctx = Context.get()
    serve(ctx, name, fn -> started(ctx, name, caller, ref) end)
  end

  defp started(ctx, name, caller, ref) do
    :ets.insert(ctx.store, {{:service, ctx.node, name}, {:running, ctx.pid}})
    Message.send(caller, {@started, ref})
  end

  defp serve(_ctx, name, ready) when name in [:user, :standard_error] do
    Lockstep.Runtime.Names.register(name, Process.self())
    ready.()
    Leader.loop(name)
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
end
