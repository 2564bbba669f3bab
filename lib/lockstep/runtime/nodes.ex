defmodule Lockstep.Runtime.Nodes do
  @moduledoc false
  # The cluster as a process on one of its nodes sees it.

  import Bitwise, only: [>>>: 2]

  alias Lockstep.Native
  alias Lockstep.Runtime.{Context, Distribution, Identity, Turn}

  require Turn

  @nobody :nonode@nohost

  # Which nodes are up and connected. Above the numbers of table entries, which are hashes of 27 bits.
  @object 1_000_000_001

  @doc "`:erlang.node/0`."
  @spec node() :: node()
  def node do
    case Context.get() do
      nil -> :erlang.node()
      ctx -> shown(ctx, ctx.node)
    end
  end

  # A node that is not alive has no name.
  defp shown(%{node: node} = ctx, node), do: if(alive?(ctx), do: node, else: @nobody)
  defp shown(_ctx, node), do: node

  @doc "The node that a program means by a name."
  @spec meant(Context.t(), term()) :: term()
  def meant(ctx, @nobody), do: if(alive?(ctx), do: @nobody, else: ctx.node)
  def meant(_ctx, node), do: node

  @doc "`:erlang.node/1`."
  @spec node(pid() | reference() | port()) :: node()
  def node(pid) when is_pid(pid) do
    case Context.get() do
      nil -> :erlang.node(pid)
      ctx -> shown(ctx, Native.node_of(ctx.session, pid) || :erlang.node(pid))
    end
  end

  def node(ref) when is_reference(ref) do
    case Context.get() do
      nil -> :erlang.node(ref)
      ctx -> shown(ctx, node_of_maker(ctx, Identity.number(ref)) || :erlang.node(ref))
    end
  end

  def node(other), do: :erlang.node(other)

  # A reference's number begins with one more than that of the process that made it.
  defp node_of_maker(_ctx, 0), do: nil
  defp node_of_maker(ctx, number), do: Native.home(ctx.session, (number >>> 32) - 1)

  @doc """
  Whether a pid is that of a process on another node, or of a former life of the caller's. To the VM they are the same where
  it takes only its own. A pid of no node at all is not elsewhere.
  """
  @spec elsewhere?(Context.t(), pid()) :: boolean()
  def elsewhere?(ctx, pid) do
    case Native.node_of(ctx.session, pid) do
      nil -> false
      node when node == ctx.node -> not Native.of_present_life(ctx.session, pid)
      _other -> true
    end
  end

  @doc "`:erlang.nodes/0`."
  @spec nodes() :: [node()]
  def nodes, do: nodes(:visible)

  @doc "`:erlang.nodes/1`. No simulated node is hidden."
  @spec nodes(atom() | [atom()]) :: [node()]
  def nodes(kinds) do
    case Context.get() do
      nil -> :erlang.nodes(kinds)
      ctx -> list(ctx, kinds)
    end
  end

  defp list(ctx, kinds), do: for({node, _info} <- infos(ctx, kinds), do: node)

  @doc "`:erlang.nodes/2`."
  @spec nodes(atom() | [atom()], map()) :: [{node(), map()}]
  def nodes(kinds, options) do
    case Context.get() do
      nil ->
        apply(:erlang, :nodes, [kinds, options])

      ctx ->
        # Called for its badarg only.
        _ = apply(:erlang, :nodes, [kinds, options])
        wanted = for {key, true} <- options, do: key
        for {node, info} <- infos(ctx, kinds), do: {node, Map.take(info, wanted)}
    end
  end

  defp infos(ctx, kinds) do
    # Called for its badarg only.
    _ = :erlang.nodes(kinds)
    touch(ctx)
    connections = Native.connections(ctx.session, ctx.node)
    infos = kinds |> List.wrap() |> Enum.flat_map(&of_kind(&1, ctx, connections)) |> Enum.uniq_by(&elem(&1, 0))
    Turn.note(ctx, fn -> {"nodes: #{Enum.map_join(infos, ", ", &inspect(elem(&1, 0)))}", infos} end)
    infos
  end

  defp of_kind(:this, ctx, _connections), do: [info(shown(ctx, ctx.node), :undefined, :this)]
  defp of_kind(:visible, _ctx, connections), do: for({node, id, false} <- connections, do: info(node, id, :visible))
  defp of_kind(:hidden, _ctx, connections), do: for({node, id, true} <- connections, do: info(node, id, :hidden))

  defp of_kind(:connected, ctx, connections),
    do: of_kind(:visible, ctx, connections) ++ of_kind(:hidden, ctx, connections)

  defp of_kind(:known, ctx, connections) do
    known = for node <- Native.neighbours(ctx.session, ctx.node), do: info(node, :undefined, :known)
    # What every node is called before it has a name.
    nameless = info(:nonode@nohost, :undefined, :known)
    of_kind(:this, ctx, connections) ++ of_kind(:connected, ctx, connections) ++ known ++ [nameless]
  end

  defp info(node, id, type), do: {node, %{connection_id: id, node_type: type}}

  @doc "`:erlang.is_alive/0`."
  @spec is_alive() :: boolean()
  def is_alive do
    case Context.get() do
      nil -> :erlang.is_alive()
      ctx -> alive?(ctx)
    end
  end

  @doc "Whether the caller's node can be reached by others."
  @spec alive?(Context.t()) :: boolean()
  def alive?(ctx), do: Distribution.alive?(ctx)

  @doc "`:erlang.monitor_node/2`."
  @spec monitor_node(node(), boolean()) :: true
  def monitor_node(node, flag), do: monitor_node(node, flag, [])

  @doc "`:erlang.monitor_node/3`. The options speak of how to connect, which the simulated network has no part in."
  @spec monitor_node(node(), boolean(), [atom()]) :: true
  def monitor_node(node, flag, options) do
    case Context.get() do
      nil -> :erlang.monitor_node(node, flag, options)
      ctx -> watch(ctx, node, flag)
    end
  end

  defp watch(ctx, node, flag) when is_atom(node) and is_boolean(flag) do
    if alive?(ctx), do: watch_node(ctx, node, flag), else: :erlang.error(:notalive, [node, flag])
  end

  defp watch(_ctx, node, flag), do: :erlang.error(:badarg, [node, flag])

  defp watch_node(ctx, node, flag) do
    Turn.take(Native.monitor_node(ctx.session, ctx.id, node, true, flag))
    Turn.note(ctx, fn -> {"#{if flag, do: "watch", else: "unwatch"} node #{inspect(node)}", {node, flag}} end)
    true
  end

  @doc "Whether the connection to a node takes no more."
  @spec busy?(Context.t(), node() | nil) :: boolean()
  def busy?(ctx, node) when node in [nil, ctx.node], do: false

  def busy?(ctx, node) do
    touch(ctx)
    Native.busy(ctx.session, ctx.node, node)
  end

  @doc "A scheduling point that conflicts with every change of the cluster."
  @spec touch(Context.t()) :: term()
  def touch(ctx), do: Turn.take(Native.access(ctx.session, ctx.id, @object, false))
end
