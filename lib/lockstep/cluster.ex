defmodule Lockstep.Cluster do
  @moduledoc """
  A simulated cluster: nodes that start, stop and are cut off from one another, inside one run.

  The function under test runs as the main process on `:nonode@nohost`, the control node: it reaches every node,
  is never partitioned, and the other nodes do not list it. Code on a node needs nothing of this module: `Node.self/0`,
  `Node.list/0`, `node/1`, `send({name, node}, message)`, `GenServer.call({name, node}, request)` and
  `Node.monitor/2` see the simulated cluster.

      Lockstep.Runner.run(fn ->
        [a, b, c] = Lockstep.Cluster.start_nodes([:a, :b, :c])
        test = self()

        for node <- [a, b, c] do
          Lockstep.Cluster.spawn(node, fn ->
            Process.register(self(), :echo)
            send(test, {:ready, node()})

            receive do
              {:ping, from} -> send(from, {:pong, node()})
            end
          end)
        end

        for node <- [a, b, c], do: receive(do: ({:ready, ^node} -> :ok))

        Lockstep.Cluster.partition([a], [b, c])
        Lockstep.Cluster.run(a, fn -> send({:echo, b}, {:ping, test}) end)
        Lockstep.Cluster.run(b, fn -> send({:echo, c}, {:ping, test}) end)
        receive do: ({:pong, ^c} -> :ok)
        refute_received {:pong, ^b}

        Lockstep.Cluster.heal()
        Lockstep.Cluster.run(a, fn -> send({:echo, b}, {:ping, test}) end)
        receive do: ({:pong, ^b} -> :ok)
      end)

  ## Partitions

  A partition cuts groups of nodes off from one another. What becomes of a message from one group to another is up to
  the mode:

    * `:drop` (the default) - it is lost, silently
    * `:defer` - it is kept, and delivered when the partition heals

  A partition that lasts longer than the tick time (`set_ticktime/1`) is noticed: monitors across it fire with the
  reason `:noconnection`.

  ## Errors

  Bad input raises `Lockstep.ClusterError`; a call outside a run raises `Lockstep.OutsideRunError`.
  """

  import Kernel, except: [spawn: 2, spawn_link: 2]

  alias Lockstep.{ClusterError, Native, OutsideRunError, Runtime}
  alias Lockstep.Runtime.{Context, Nodes, Turn}

  @control :nonode@nohost
  @modes [:drop, :defer]

  @typedoc "What becomes of messages across a partition."
  @type mode :: :drop | :defer

  @doc """
  Adds nodes to the cluster and returns their names.

  Nodes that are there already stay as they are; those that were stopped are started again.

      [a, b] = Lockstep.Cluster.start_nodes([:a, :b])
  """
  @spec start_nodes([node()]) :: [node()]
  def start_nodes(names) do
    ctx = context!("start_nodes/1")
    unless is_list(names) and Enum.all?(names, &name?/1), do: error({:not_nodes, names})
    for name <- names, do: start(ctx, name)
    names
  end

  @doc """
  All nodes, those that were stopped and the control node `:nonode@nohost` included.
  """
  @spec list() :: [node()]
  def list, do: for({node, _up?} <- nodes(context!("list/0")), do: node)

  @doc """
  The nodes that are up, without the control node.
  """
  @spec list_up() :: [node()]
  def list_up, do: for({node, true} <- nodes(context!("list_up/0")), node != @control, do: node)

  @doc """
  The node of the calling process.
  """
  @spec node_of() :: node()
  def node_of, do: context!("node_of/0").node

  @doc """
  The node of a process, dead or alive.
  """
  @spec node_of(pid()) :: node()
  def node_of(pid) do
    ctx = context!("node_of/1")
    (is_pid(pid) && Native.node_of(ctx.session, pid)) || error({:unknown_process, pid})
  end

  @doc """
  Starts a process on a node and returns its pid.

      Lockstep.Cluster.spawn(:a, fn -> send({:server, :b}, :hello) end)
  """
  @spec spawn(node(), (... -> term())) :: pid()
  def spawn(node, fun) when is_function(fun, 0), do: start_process(context!("spawn/2"), node, fun, link?: false)

  @doc """
  As `spawn/2`, and links the process to the caller.
  """
  @spec spawn_link(node(), (... -> term())) :: pid()
  def spawn_link(node, fun) when is_function(fun, 0),
    do: start_process(context!("spawn_link/2"), node, fun, link?: true)

  defp start_process(ctx, node, fun, options) do
    check_up(ctx, node)
    Runtime.Spawning.spawn_on(node, fun, options)
  end

  @doc """
  Runs the function in a process on a node, waits for it and returns its result.

  If the function raises, exits or throws, so does this call. If its process is killed or its node stops, the call
  exits with the reason.

      :b = Lockstep.Cluster.run(:b, fn -> Node.self() end)
  """
  @spec run(node(), (... -> result)) :: result when result: term()
  def run(node, fun) when is_function(fun, 0) do
    ctx = context!("run/2")
    check_up(ctx, node)
    tag = Runtime.Unique.make_ref()
    caller = Runtime.Process.self()
    body = fn -> Runtime.Message.send(caller, {tag, outcome(fun)}) end
    {_pid, monitor} = Runtime.Spawning.spawn_opt(node, body, [:monitor])
    await(tag, monitor)
  end

  defp outcome(fun) do
    {:ok, Runtime.Call.apply(fun, [])}
  catch
    kind, reason -> {kind, reason, Runtime.Stack.clean(__STACKTRACE__)}
  end

  defp await(tag, monitor) do
    case Runtime.Mailbox.await(&answer(&1, tag, monitor), :infinity) do
      {:down, reason} ->
        exit(reason)

      outcome ->
        Runtime.Monitor.demonitor(monitor, [:flush])
        result(outcome)
    end
  end

  defp answer({tag, outcome}, tag, _monitor), do: {:ok, outcome}
  defp answer({:DOWN, monitor, :process, _pid, reason}, _tag, monitor), do: {:ok, {:down, reason}}
  defp answer(_message, _tag, _monitor), do: :skip

  defp result({:ok, value}), do: value
  defp result({kind, reason, stack}), do: :erlang.raise(kind, reason, stack)

  @doc """
  Stops a node.

  All its processes are killed at once; none runs `terminate`. Monitors of them fire with the reason `:nodedown`, and
  who watches the node (`monitor_node/1`, `Node.monitor/2`) gets `{:nodedown, node}`.
  """
  @spec stop_node(node()) :: :ok
  def stop_node(node) do
    ctx = context!("stop_node/1")
    check_known(ctx, node)
    if node == @control, do: error({:control_node, "stopped"})
    command(ctx, Native.stop_node(ctx.session, ctx.id, node), "stop node #{inspect(node)}", node)
  end

  @doc """
  Starts a node that was stopped: no processes, no names, no tables. Processes it had before stay dead.

  Does nothing if the node is up.
  """
  @spec start_node(node()) :: :ok
  def start_node(node) do
    ctx = context!("start_node/1")
    check_known(ctx, node)
    start(ctx, node)
  end

  # Nothing to announce for a node that is up.
  defp start(ctx, node) do
    if {node, true} in Native.nodes(ctx.session) do
      :ok
    else
      command(ctx, Native.start_node(ctx.session, ctx.id, node), "start node #{inspect(node)}", node)
      Runtime.PersistentTerm.forget(ctx, node)
      Runtime.Atomics.forget(ctx, node)
    end
  end

  @doc """
  Watches a node: when it is stopped, the caller gets `{:nodedown, node}`, once for each call of this function.
  """
  @spec monitor_node(node()) :: :ok
  def monitor_node(node) do
    ctx = context!("monitor_node/1")
    check_known(ctx, node)
    command(ctx, Native.monitor_node(ctx.session, ctx.id, node, false, true), "watch node #{inspect(node)}", node)
  end

  @doc """
  Cuts groups of nodes off from one another; messages between them are lost.

      Lockstep.Cluster.partition([[:a], [:b], [:c]])
  """
  @spec partition([[node()]]) :: :ok
  def partition(groups), do: cut(context!("partition/1"), groups, :drop)

  @doc """
  Cuts two groups of nodes off from each other; messages between them are lost. Or as `partition/1`, with a mode.

      Lockstep.Cluster.partition([:a], [:b, :c])
      Lockstep.Cluster.partition([[:a], [:b], [:c]], :defer)
  """
  @spec partition([node()], [node()]) :: :ok
  @spec partition([[node()]], mode()) :: :ok
  def partition(groups, mode) when is_atom(mode) and mode != [], do: cut(context!("partition/2"), groups, mode)
  def partition(group, other), do: cut(context!("partition/2"), [group, other], :drop)

  @doc """
  Cuts two groups of nodes off from each other, with a mode.

      Lockstep.Cluster.partition([:a], [:b, :c], :defer)
  """
  @spec partition([node()], [node()], mode()) :: :ok
  def partition(group, other, mode), do: cut(context!("partition/3"), [group, other], mode)

  defp cut(ctx, groups, mode) do
    unless mode in @modes, do: error({:unknown_mode, mode})
    check_groups(ctx, groups)
    text = "partition #{Enum.map_join(groups, " | ", &inspect/1)} (#{mode})"
    command(ctx, Native.partition(ctx.session, ctx.id, groups, mode), text, {groups, mode})
  end

  defp check_groups(ctx, groups) do
    for group <- List.wrap(groups),
        not (is_list(group) and Enum.all?(group, &name?/1)),
        do: error({:not_nodes, group})

    if length(groups) < 2 or [] in groups, do: error({:empty_group, groups})
    nodes = Enum.concat(groups)
    for node <- nodes, do: check_known(ctx, node)
    if @control in nodes, do: error({:control_node, "partitioned"})

    case nodes -- Enum.uniq(nodes) do
      [] -> :ok
      [node | _] -> error({:overlapping_groups, node})
    end
  end

  @doc """
  Heals every partition. Deferred messages are delivered, in the order they were sent, before it returns.
  """
  @spec heal() :: :ok
  def heal do
    ctx = context!("heal/0")
    command(ctx, Native.heal(ctx.session, ctx.id), "heal", nil)
  end

  @doc """
  Sets how long a partition lasts, in virtual milliseconds, before monitors across it fire with `:noconnection`.

  The default is 15,000.
  """
  @spec set_ticktime(non_neg_integer()) :: :ok
  def set_ticktime(milliseconds) do
    ctx = context!("set_ticktime/1")
    unless is_integer(milliseconds) and milliseconds >= 0, do: error({:invalid_ticktime, milliseconds})
    next = Native.set_tick_time(ctx.session, ctx.id, milliseconds * 1000)
    command(ctx, next, "set tick time #{milliseconds} ms", milliseconds)
  end

  ## Helpers

  defp command(ctx, next, text, term) do
    Turn.take(next)
    Turn.note(ctx, fn -> {text, term} end)
    :ok
  end

  defp nodes(ctx) do
    Nodes.touch(ctx)
    nodes = Native.nodes(ctx.session)
    Turn.note(ctx, fn -> {"list the cluster", nodes} end)
    nodes
  end

  defp check_up(ctx, node) do
    unless check_known(ctx, node), do: error({:node_down, node})
  end

  # Whether the node is up. No scheduling point: the operation that follows is one.
  defp check_known(ctx, node) do
    unless name?(node), do: error({:not_a_node, node})
    nodes = Native.nodes(ctx.session)

    case List.keyfind(nodes, node, 0) do
      {_, up?} -> up?
      nil -> error({:unknown_node, node, for({known, _} <- nodes, do: known)})
    end
  end

  defp name?(name), do: is_atom(name) and name not in [nil, true, false, :undefined]

  defp context!(function) do
    Context.get() || raise OutsideRunError, call: "Lockstep.Cluster.#{function}"
  end

  @spec error(tuple()) :: no_return()
  defp error(reason), do: raise(ClusterError, reason: reason)
end
