defmodule Lockstep.Runtime.Nodes do
  @moduledoc false
  # The cluster as a process on one of its nodes sees it.

  import Bitwise, only: [>>>: 2]

  alias Lockstep.Native
  alias Lockstep.Runtime.{Context, Identity, Turn}

  # Which nodes are up and connected. Above the numbers of table entries, which are hashes of 27 bits.
  @object 1_000_000_001

  @doc "`:erlang.node/0`."
  @spec node() :: node()
  def node do
    case Context.get() do
      nil -> :erlang.node()
      ctx -> ctx.node
    end
  end

  @doc "`:erlang.node/1`."
  @spec node(pid() | reference() | port()) :: node()
  def node(pid) when is_pid(pid) do
    case Context.get() do
      nil -> :erlang.node(pid)
      ctx -> Native.node_of(ctx.session, pid) || :erlang.node(pid)
    end
  end

  def node(ref) when is_reference(ref) do
    case Context.get() do
      nil -> :erlang.node(ref)
      ctx -> node_of_maker(ctx, Identity.number(ref)) || :erlang.node(ref)
    end
  end

  def node(other), do: :erlang.node(other)

  # A reference's number begins with one more than that of the process that made it.
  defp node_of_maker(_ctx, 0), do: nil
  defp node_of_maker(ctx, number), do: Native.home(ctx.session, (number >>> 32) - 1)

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

  defp list(ctx, kinds) do
    # Called for its badarg only.
    _ = :erlang.nodes(kinds)
    touch(ctx)
    visible = Native.visible(ctx.session, ctx.node)
    nodes = kinds |> List.wrap() |> Enum.flat_map(&of_kind(&1, ctx, visible)) |> Enum.uniq()
    Turn.note(ctx, fn -> {"nodes: #{inspect(nodes)}", nodes} end)
    nodes
  end

  defp of_kind(:this, ctx, _visible), do: [ctx.node]
  defp of_kind(:hidden, _ctx, _visible), do: []
  defp of_kind(:known, ctx, visible), do: [ctx.node | visible]
  defp of_kind(_visible_or_connected, _ctx, visible), do: visible

  @doc "`:erlang.is_alive/0`."
  @spec is_alive() :: boolean()
  def is_alive, do: Context.inside?() or :erlang.is_alive()

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
    Turn.take(Native.monitor_node(ctx.session, ctx.id, node, true, flag))
    Turn.note(ctx, fn -> {"#{if flag, do: "watch", else: "unwatch"} node #{inspect(node)}", {node, flag}} end)
    true
  end

  defp watch(_ctx, node, flag), do: :erlang.error(:badarg, [node, flag])

  @doc "Whether what is sent to a node needs no new connection. A pid of no node of the run is not the network's affair."
  @spec connected?(Context.t(), node() | nil) :: boolean()
  def connected?(ctx, node) when node in [nil, ctx.node], do: true

  def connected?(ctx, node) do
    touch(ctx)
    node in Native.visible(ctx.session, ctx.node)
  end

  @doc "A scheduling point that conflicts with every change of the cluster."
  @spec touch(Context.t()) :: term()
  def touch(ctx), do: Turn.take(Native.access(ctx.session, ctx.id, @object, false))
end
