defmodule Lockstep.Cluster.Settle do
  @moduledoc false
  # The end of the faulty phase of a test: everything is mended, and the cluster comes to rest.

  import Lockstep.Cluster.Arguments

  alias Lockstep.Cluster.Start
  alias Lockstep.Native
  alias Lockstep.Runtime.{Context, Faults, Mailbox, Turn}

  @control :nonode@nohost
  @defaults [quiet: 1000, within: 120_000]
  # Virtual ms between two looks.
  @every 50

  @doc "Mends everything and waits until nothing is under way between nodes."
  @spec settle(Context.t(), keyword()) :: :ok
  def settle(ctx, options) do
    unless Keyword.keyword?(options), do: error({:not_options, options})

    for {option, _} <- options,
        not Keyword.has_key?(@defaults, option),
        do: error({:unknown_option, option, Keyword.keys(@defaults)})

    %{quiet: quiet, within: within} = Map.new(Keyword.merge(@defaults, options))
    time!(quiet, :invalid_time)
    time!(within, :invalid_time)
    Faults.stop(ctx)
    mend(ctx)
    rest(ctx, quiet, within)
  end

  defp mend(ctx) do
    nodes = for {node, _up?} <- Native.nodes(ctx.session), node != @control, do: node
    Turn.take(Native.heal(ctx.session, ctx.id, :all))
    Turn.note(ctx, fn -> {"settle: heal, release, resume, restart", nodes} end)
    Turn.take(Native.release(ctx.session, ctx.id, nodes, nodes))

    for {node, true} <- Native.nodes(ctx.session),
        node != @control,
        do: Turn.take(Native.pause_node(ctx.session, ctx.id, node, false))

    for {node, false} <- Native.nodes(ctx.session), do: Start.again(ctx, node)
  end

  # `global` may still take a connection down that it believes to be part of an overlapping partition.
  defp join(ctx) do
    nodes = for {node, true} <- Native.nodes(ctx.session), node != @control, do: node
    apart = for a <- nodes, b <- nodes, a < b, not connected?(ctx, a, b), do: {a, b}
    for {a, b} <- apart, do: Turn.take(Native.join(ctx.session, ctx.id, a, b))
    apart == []
  end

  defp connected?(ctx, a, b) do
    List.keymember?(Native.connections(ctx.session, a), b, 0) and
      List.keymember?(Native.connections(ctx.session, b), a, 0)
  end

  # Time in which nothing was under way between nodes counts as quiet.
  defp rest(ctx, quiet, left), do: rest(ctx, quiet, quiet, left)

  defp rest(_ctx, quiet_left, _quiet, left) when quiet_left <= 0 or left <= 0, do: :ok

  defp rest(ctx, quiet_left, quiet, left) do
    joined? = join(ctx)
    Mailbox.pause(@every)
    quiet_left = if joined? and Native.under_way(ctx.session) == 0, do: quiet_left - @every, else: quiet
    rest(ctx, quiet_left, quiet, left - @every)
  end
end
