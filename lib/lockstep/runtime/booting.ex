defmodule Lockstep.Runtime.Booting do
  @moduledoc false
  # Nodes that programs start and stop themselves (`:slave`, `:peer`): on a real system each would be a VM.

  alias Lockstep.{Cluster, Native}
  alias Lockstep.Runtime.{Connections, Context, Identity, Mailbox, Message, Monitor, Nodes, Spawning, Turn, Unique}
  alias Lockstep.Runtime.Booting.Arguments

  @control :nonode@nohost

  @doc """
  Starts a node as a VM that the caller's node starts: with what the command line says, and connected to who has started
  it, and so to the others. False if the name is taken.
  """
  @spec start(Context.t(), node(), [String.t()]) :: boolean()
  def start(ctx, node, words) do
    arguments = Arguments.read(words)

    if up?(ctx, node) do
      false
    else
      options = options(arguments)
      [^node] = Cluster.start_nodes([node], Keyword.put(options, :connect, false))
      # So would it be started again after a crash.
      :ets.insert(ctx.store, {{:start_options, node}, options})
      connect(ctx, node, options)
      true
    end
  end

  # It connects to who has started it, and is then, as `global` sees to it, connected to all that one is connected to.
  defp connect(ctx, node, options) do
    known = if options[:connect], do: known(ctx, node), else: []
    for other <- known -- [@control], other != node, do: Turn.take(Native.join(ctx.session, ctx.id, node, other))
    if ctx.node != @control, do: Cluster.run(node, fn -> Connections.connect_node(ctx.node) end)
  end

  # The control node is connected to all. Those that were to stay alone do so.
  defp known(%{node: @control} = ctx, node) do
    for {other, true} <- Native.nodes(ctx.session), joined?(ctx, other), same_cookie?(ctx, node, other), do: other
  end

  defp known(ctx, node), do: Enum.filter(Native.visible(ctx.session, ctx.node), &same_cookie?(ctx, node, &1))

  defp joined?(ctx, node) do
    case :ets.lookup(ctx.store, {:start_options, node}) do
      [{_, options}] -> Keyword.get(options, :connect, true)
      [] -> true
    end
  end

  defp same_cookie?(ctx, one, other), do: Connections.cookie(ctx, one) == Connections.cookie(ctx, other)

  defp options(arguments) do
    settings = if arguments.connect_all, do: [], else: [{:kernel, :connect_all, false}]

    environment =
      Enum.group_by(settings ++ arguments.environment, &elem(&1, 0), fn {_, key, value} -> {key, value} end)

    joins? = arguments.connect_all and not arguments.hidden
    options = [connect: joins?, hidden: arguments.hidden, env: Map.to_list(environment)]
    if arguments.cookie, do: [{:cookie, arguments.cookie} | options], else: options
  end

  @doc "Whether a node of this name is up."
  @spec up?(Context.t(), node()) :: boolean()
  def up?(ctx, node) do
    Nodes.touch(ctx)
    {node, true} in Native.nodes(ctx.session)
  end

  @doc "Ends a node at once, as `halt` does. Nothing happens if there is none of this name."
  @spec halt(Context.t(), node()) :: :ok
  def halt(ctx, node) do
    if node != @control and up?(ctx, node), do: Cluster.crash_node(node), else: :ok
  end

  @doc "The node ends when process `pid` of the caller's node does, and not the other way round."
  @spec tie(Context.t(), node(), pid()) :: :ok
  def tie(ctx, node, pid) do
    Native.daemon(ctx.session, Spawning.spawn(fn -> halt_after(node, pid) end))
    :ok
  end

  defp halt_after(node, pid) do
    monitor = Monitor.monitor(:process, pid)
    Mailbox.await(&if(match?({:DOWN, ^monitor, _, _, _}, &1), do: {:ok, :ended}, else: :skip), :infinity)
    halt(Context.get(), node)
  end

  @doc "The node ends when the one that has started it does, or is not connected to it any more."
  @spec depend(Context.t(), node(), node(), :up | :connected) :: :ok
  # The control node is always there, and the others need no connection to reach it.
  def depend(_ctx, _node, @control, _on), do: :ok

  def depend(ctx, node, master, on) do
    ref = Unique.make_ref()
    caller = ctx.pid
    watcher = Spawning.spawn(node, fn -> halt_without(master, on, caller, ref) end)
    Native.daemon(ctx.session, watcher)
    Mailbox.await(&if(&1 == ref, do: {:ok, :ready}, else: :skip), :infinity)
    :ok
  end

  defp halt_without(master, on, caller, ref) do
    if on == :up, do: Cluster.monitor_node(master), else: Nodes.monitor_node(master, true)
    Message.send(caller, ref)
    Mailbox.await(&if(&1 == {:nodedown, master}, do: {:ok, :lost}, else: :skip), :infinity)
    halt(Context.get(), Context.get().node)
  end

  @doc "The part of a node's name behind the `@`."
  @spec host(node()) :: String.t()
  def host(node), do: node |> Atom.to_string() |> String.split("@", parts: 2) |> Enum.at(1, "nohost")

  @doc "The part of a node's name before the `@`."
  @spec short(node()) :: String.t()
  def short(node), do: node |> Atom.to_string() |> String.split("@", parts: 2) |> hd()

  @doc "A node's name of parts that are strings, charlists or atoms."
  @spec name(term(), term()) :: node()
  def name(short, host), do: :"#{short}@#{host}"

  @doc "A number that no other name of the run has."
  @spec number(Context.t()) :: pos_integer()
  def number(ctx), do: ctx |> Identity.new_ref() |> elem(1)
end
