defmodule Lockstep.Compat.Schism do
  @moduledoc false
  # The functions of the package schism: nodes are cut off by giving them a cookie of their own. See `Lockstep.Compat`.
  #
  # A cookie is asked for when a connection is made, so the ones that there are have to be closed. Both ends do that at the
  # same time, behind a silent cut: otherwise `global`, which takes nodes out of the cluster that some can reach and others
  # cannot, would meet half of it and leave every node alone. Who cuts the nodes off can still reach them.

  alias Lockstep.{Cluster, Native}
  alias Lockstep.Compat.StandIn
  alias Lockstep.Runtime.{Booting, Call}

  @control :nonode@nohost

  @doc "Cuts nodes off from all others but the caller's; they can see one another. Returns them."
  @spec partition([node()]) :: [node()]
  def partition(nodes) do
    ctx = check!(nodes, "Schism.partition/1")
    cut(ctx, nodes, "schism-#{Booting.number(ctx)}")
  end

  @doc "As `partition/1`; nodes that were cut off with the same name can see one another."
  @spec partition([node()], String.t()) :: [node()]
  def partition(nodes, id) do
    ctx = check!(nodes, "Schism.partition/2")
    unless is_binary(id), do: raise(ArgumentError, "Schism.partition/2 needs a name as a string, got #{inspect(id)}")
    cut(ctx, nodes, id)
  end

  defp cut(ctx, nodes, id) do
    cookie = String.to_atom(id)
    Enum.each(nodes, &give_cookie(ctx, &1, cookie))
    others = up(ctx) -- [ctx.node | nodes]
    if nodes != [] and others != [], do: separate(nodes, others)
    connect_all(ctx, nodes)
    nodes
  end

  defp separate(nodes, others) do
    Cluster.partition(nodes, others, :tcp)
    for node <- nodes, do: disconnect(node, others)
    for node <- others, do: disconnect(node, nodes)
    for node <- nodes, other <- others, do: Cluster.heal(node, other)
  end

  defp disconnect(node, others) do
    Cluster.run(node, fn -> Enum.each(others, &Call.apply(:erlang, :disconnect_node, [&1])) end)
  end

  @doc "Joins nodes with the caller's cluster again. Returns them."
  @spec heal([node()]) :: [node()]
  def heal(nodes) do
    ctx = check!(nodes, "Schism.heal/1")
    join(ctx, nodes, Call.apply(:erlang, :get_cookie, []))
  end

  @doc "As `heal/1`, with the cookie of the cluster."
  @spec heal([node()], atom()) :: [node()]
  def heal(nodes, cookie) do
    ctx = check!(nodes, "Schism.heal/2")

    unless is_atom(cookie),
      do: raise(ArgumentError, "Schism.heal/2 needs a cookie as an atom, got #{inspect(cookie)}")

    join(ctx, nodes, cookie)
  end

  defp join(ctx, nodes, cookie) do
    Enum.each(nodes, &give_cookie(ctx, &1, cookie))
    connect_all(ctx, nodes)
    nodes
  end

  # The caller's node, too, has to know the cookie; the control node reaches every node without.
  defp give_cookie(ctx, node, cookie) do
    Cluster.run(node, fn -> Call.apply(:erlang, :set_cookie, [node, cookie]) end)
    unless ctx.node in [node, @control], do: Call.apply(:erlang, :set_cookie, [node, cookie])
  end

  # What has another cookie refuses.
  defp connect_all(ctx, nodes) do
    up = up(ctx)

    for node <- nodes do
      Cluster.run(node, fn -> Enum.each(up -- [node], &Call.apply(:net_kernel, :connect_node, [&1])) end)
    end
  end

  defp up(ctx), do: for({node, true} <- Native.nodes(ctx.session), node != @control, do: node)

  defp check!(nodes, call) do
    ctx = StandIn.check_inside!(call)

    unless is_list(nodes) and Enum.all?(nodes, &is_atom/1) do
      raise ArgumentError, "#{call} needs a list of nodes, got #{inspect(nodes)}"
    end

    ctx
  end
end
