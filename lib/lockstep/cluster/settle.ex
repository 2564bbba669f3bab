defmodule Lockstep.Cluster.Settle do
  @moduledoc false
  # The end of the faulty phase of a test: everything is mended, and the cluster comes to rest.

  import Lockstep.Cluster.Arguments

  alias Lockstep.Cluster.Start
  alias Lockstep.Native
  alias Lockstep.Runtime.{Connections, Context, Faults, Mailbox, Turn}

  require Turn

  @control :nonode@nohost
  @defaults [quiet: 1000, within: 120_000]
  # Virtual ms between two looks.
  @every 50

  @doc "Mends everything and waits until nothing is under way between nodes."
  @spec settle(Context.t(), keyword()) :: :ok
  def settle(ctx, options) do
    %{quiet: quiet, within: within} = options!(options, @defaults, fn {_, time} -> time?(time) end)
    Faults.stop(ctx)
    mend(ctx)
    rest(ctx, quiet, within)
  end

  defp mend(ctx) do
    nodes = for {node, _up?} <- ordinary(ctx), do: node
    Turn.take(Native.heal(ctx.session, ctx.id, :all))
    Turn.note(ctx, fn -> {"settle: heal, release, resume and restart all", nodes} end)
    quietly(ctx, Native.release(ctx.session, ctx.id, nodes, nodes))
    for node <- up(ctx), do: quietly(ctx, Native.pause_node(ctx.session, ctx.id, node, false))
  end

  # Reports do not show it.
  defp quietly(ctx, next) do
    Turn.take(next)
    Turn.note(ctx, fn -> {"settle", nil} end)
  end

  defp ordinary(ctx), do: for({node, _up?} = entry <- Native.nodes(ctx.session), node != @control, do: entry)

  defp up(ctx), do: for({node, true} <- ordinary(ctx), do: node)

  # Time in which nothing was under way between nodes counts as quiet.
  defp rest(ctx, quiet, left), do: rest(ctx, quiet, quiet, left)

  defp rest(_ctx, quiet_left, _quiet, left) when quiet_left <= 0 or left <= 0, do: :ok

  defp rest(ctx, quiet_left, quiet, left) do
    # A node that a fault has started may only now fail to.
    for {node, false} <- ordinary(ctx), do: Start.again(ctx, node)
    quiet? = join(ctx) and not Enum.any?(up(ctx), &Start.under_way?(ctx, &1))
    Mailbox.pause(min(@every, left))
    quiet_left = if quiet? and Native.under_way(ctx.session) == 0, do: quiet_left - @every, else: quiet
    rest(ctx, quiet_left, quiet, left - @every)
  end

  # More than once: `global` may still take a connection down that it believes to be part of an overlapping partition.
  defp join(ctx) do
    nodes = up(ctx)
    apart = for a <- nodes, b <- nodes, a < b, not connected?(ctx, a, b), connectable?(ctx, a, b), do: {a, b}
    for {a, b} <- apart, do: Turn.take(Native.join(ctx.session, ctx.id, a, b))
    apart == []
  end

  defp connected?(ctx, a, b) do
    List.keymember?(Native.connections(ctx.session, a), b, 0) and
      List.keymember?(Native.connections(ctx.session, b), a, 0)
  end

  defp connectable?(ctx, a, b), do: Connections.cookie(ctx, a, b) == Connections.cookie(ctx, b, a)
end
