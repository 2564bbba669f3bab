defmodule Lockstep.Runtime.Mesh do
  @moduledoc false
  # OTP's `global`, which keeps names for a whole cluster, connects every node to every other, and takes nodes out of it
  # that some can reach and others cannot (overlapping partitions).
  #
  # A real node runs it from its start. Here it is started on all nodes when something first depends on it: a name, or a
  # connection that is made or lost. Until then all nodes that belong together are connected, and that is all it would
  # have to say.

  alias Lockstep.Native
  alias Lockstep.Runtime.{Call, Context, Mailbox, Message, Services, Spawning}

  @control :nonode@nohost
  @server :global_name_server
  # Virtual ms: how long to wait at first, and how long at most at a time.
  @first_pause 1
  @longest_pause 4000

  @doc "Makes sure that `global` runs on all nodes that are up."
  @spec ensure(Context.t()) :: :ok
  def ensure(ctx) do
    # While somebody starts it, others go on: its own processes among them.
    if :ets.insert_new(ctx.store, {:mesh, ctx.pid}), do: start(ctx), else: :ok
  end

  @doc "Whether `global` runs on the nodes, so that it has to run on a new one too."
  @spec running?(Context.t()) :: boolean()
  def running?(ctx), do: :ets.member(ctx.store, :mesh)

  defp start(ctx) do
    nodes = for {node, true} <- Native.nodes(ctx.session), do: node
    Enum.each(nodes, &extend(ctx, &1))
    # Somebody else may have begun to start one of them: what connects before it listens is told below.
    Enum.each(nodes, &Services.await(ctx, &1, @server))
    members = nodes -- [@control]
    on_each(ctx, members, &greet/1)
    # On a real cluster the servers have long spoken to one another.
    meshed =
      Enum.filter(members, &match?([{_, true}], :ets.lookup(ctx.store, {:node_env, &1, :kernel, :connect_all})))

    on_each(ctx, meshed, fn _ctx -> Call.apply(:global, :sync, []) end)
  end

  @doc "Starts `global` on a node."
  @spec extend(Context.t(), node()) :: :ok
  def extend(ctx, node) do
    # Otherwise it would set this itself, and need an application controller for it.
    :ets.insert(ctx.store, {{:node_env, node}, true})
    :ets.insert_new(ctx.store, {{:node_env, node, :kernel, :connect_all}, true})
    Services.ensure_on(ctx, node, @server)
  end

  # Tells the server of a node of the connections that were there before it.
  defp greet(ctx) do
    for {node, connection, false} <- Native.connections(ctx.session, ctx.node), node != @control do
      Message.send(@server, {:nodeup, node, %{connection_id: connection}})
    end
  end

  # Whatever the network does: nothing of this goes through it.
  defp on_each(ctx, nodes, fun) do
    helpers = for node <- nodes, do: Spawning.spawn_on(node, fn -> help(fun) end, [])
    Enum.each(helpers, &Native.daemon(ctx.session, &1))
    wait(ctx, helpers, @first_pause)
  end

  defp help(fun) do
    Context.serve()
    fun.(Context.get())
  end

  # Across a partition the servers never agree.
  defp wait(ctx, helpers, pause) do
    if pause <= @longest_pause and Enum.any?(helpers, &Native.alive(ctx.session, &1)) do
      Mailbox.pause(pause)
      wait(ctx, helpers, 2 * pause)
    else
      :ok
    end
  end
end
