defmodule Lockstep.Runtime.Faults do
  @moduledoc false
  # Faults drawn from the seed (`faults:`).
  #
  # Swarm testing (Groce et al., ISSTA 2012): each seed switches a random part of the kinds on, so that runs with one kind
  # of fault alone are as likely as those with all of them. Every decision is a choice of the run, of which 0 means that
  # nothing happens: a replay makes the same ones, and shrinking leaves them out one by one.

  alias Lockstep.{Cluster, Native}
  alias Lockstep.Cluster.Start
  alias Lockstep.Runtime.{Context, Mailbox, Mesh, Notebook, Spawning, Turn}

  require Turn

  @control :nonode@nohost
  # Virtual ms.
  @moment 1
  # How often a node is started that fails to.
  @attempts 5
  # How many faults a run has at most, besides those of the network as a whole.
  @count 6
  # Virtual ms between two, and how long each lasts: around the times that programs wait for (call timeouts, 5 s) and
  # that connections are given up after (net_ticktime, 60 s give or take a quarter).
  @pauses [0, 1, 10, 50, 200, 1000, 4_900, 5_100, 20_000]
  @lengths [1, 20, 200, 1_000, 4_990, 5_010, 15_000, 44_000, 46_000, 59_000, 61_000, 74_000, 76_000, 90_000]

  @doc "Begins to inject the faults that the run is to have, once there are nodes."
  @spec begin(Context.t()) :: :ok
  def begin(ctx) do
    with [{_, faults}] when faults != [] <- :ets.lookup(ctx.store, :faults),
         true <- :ets.insert_new(ctx.store, {:injector, ctx.pid}) do
      Mesh.ensure(ctx)
      injector = Spawning.spawn_on(@control, fn -> inject(faults) end, [])
      Native.daemon(ctx.session, injector)
    end

    :ok
  end

  @doc "Injects no more faults in this run; waits for those that are just about to happen."
  @spec stop(Context.t()) :: :ok
  def stop(ctx) do
    :ets.insert(ctx.store, {:faults_over, true})
    wait_for_strikes(ctx)
  end

  defp wait_for_strikes(ctx) do
    if count_strikes(ctx, 0) > 0 do
      Mailbox.pause(@moment)
      wait_for_strikes(ctx)
    else
      :ok
    end
  end

  defp count_strikes(ctx, change), do: :ets.update_counter(ctx.store, :strikes, change, {:strikes, 0})

  @doc "Whether a node that is down is going to be started again."
  @spec restarts?(Context.t(), node()) :: boolean()
  def restarts?(ctx, node), do: :ets.member(ctx.store, {:restarts, node})

  @doc "Whether a node is up is no longer for its fault to say: somebody has started or stopped it."
  @spec leave(Context.t(), node()) :: :ok
  def leave(ctx, node) do
    :ets.delete(ctx.store, {:restarts, node})
    :ok
  end

  defp inject(faults) do
    ctx = Context.get()
    faults = Enum.filter(faults, fn _ -> draw(ctx, 2) == 1 end)
    {once, again} = Enum.split_with(faults, fn {kind, _} -> kind in [:latency, :clock_skew] end)
    Enum.each(once, &set(ctx, &1))
    if again != [], do: strike(ctx, again, @count, %{})
  end

  defp strike(_ctx, _faults, 0, _done), do: :ok

  defp strike(ctx, faults, left, done) do
    Mailbox.pause(pick(ctx, @pauses))

    if over?(ctx) do
      :ok
    else
      choice = draw(ctx, length(faults) + 1)
      done = if choice > 0, do: fault(ctx, Enum.at(faults, choice - 1), done), else: done
      strike(ctx, faults, left - 1, done)
    end
  end

  defp struck(ctx, kind), do: Notebook.count(ctx.store, :struck, kind)

  @doc "How many faults of each kind have happened."
  @spec count(:ets.tid()) :: %{optional(atom()) => pos_integer()}
  def count(store), do: Notebook.all(store, :struck)

  defp over?(ctx), do: :ets.member(ctx.store, :faults_over)

  defp fault(ctx, {kind, options}, done) do
    count = Map.get(done, kind, 0)

    if count < Keyword.get(options, :max, @count) do
      count_strikes(ctx, 1)
      episode = Spawning.spawn_on(@control, fn -> episode(kind, options) end, [])
      Native.daemon(ctx.session, episode)
      Map.put(done, kind, count + 1)
    else
      done
    end
  end

  # A fault, a time, and the end of the fault. The end of the faulty phase ends what lasts.
  defp episode(kind, options) do
    ctx = Context.get()
    undo = if over?(ctx) or nodes_up(ctx) == [], do: fn -> :ok end, else: strike(kind, ctx, options)
    count_strikes(ctx, -1)
    Mailbox.pause(pick(ctx, @lengths))
    unless over?(ctx), do: undo.()
  end

  defp strike(:partition, ctx, _options) do
    case Enum.split_with(nodes(ctx), fn _ -> draw(ctx, 2) == 1 end) do
      {some, others} when some != [] and others != [] -> cut(ctx, some, others)
      _ -> fn -> :ok end
    end
  end

  defp strike(:pause, ctx, _options) do
    node = pick(ctx, nodes_up(ctx))
    struck(ctx, :pause)
    Cluster.pause_node(node)
    fn -> if node in nodes_up(ctx), do: Cluster.resume_node(node) end
  end

  defp strike(:crash, ctx, options) do
    node = pick(ctx, nodes_up(ctx))
    down? = Turn.take(Native.crash_node(ctx.session, ctx.id, node, false)) == :ok
    Turn.note(ctx, fn -> {"crash node #{inspect(node)}", node} end)
    if down?, do: struck(ctx, :crash)
    restart? = down? and Keyword.get(options, :restart, true)
    if restart?, do: :ets.insert(ctx.store, {{:restarts, node}})
    fn -> if restart?, do: restart(ctx, node, @attempts) end
  end

  defp strike(:disconnect, ctx, _options) do
    with [_, _ | _] = nodes <- nodes_up(ctx) do
      a = pick(ctx, nodes)
      struck(ctx, :disconnect)
      Cluster.disconnect(a, pick(ctx, nodes -- [a]))
    end

    fn -> :ok end
  end

  defp restart(ctx, node, attempts) do
    if restarts?(ctx, node) and not over?(ctx), do: Start.again(ctx, node)
  catch
    # What is started there has failed, because of another fault maybe. Such a node ends, and is started again.
    _kind, reason -> failed(ctx, node, reason, attempts - 1)
  end

  defp failed(ctx, node, reason, attempts) do
    Turn.take(Native.crash_node(ctx.session, ctx.id, node, true))
    Turn.note(ctx, fn -> {"node #{inspect(node)} ends: it cannot start, #{inspect(reason)}", {node, reason}} end)

    if attempts > 0 do
      :ets.insert(ctx.store, {{:restarts, node}})
      Mailbox.pause(pick(ctx, @lengths))
      restart(ctx, node, attempts)
    end
  end

  defp cut(ctx, some, others) do
    struck(ctx, :partition)

    if draw(ctx, 3) == 1,
      do: Cluster.partition_oneway(some, others),
      else: Cluster.partition(some, others, :tcp)

    fn -> for a <- some, b <- others, do: Cluster.heal(a, b) end
  end

  defp set(ctx, {:latency, %Range{} = range}) do
    last = range.first + div((range.last - range.first) * (1 + draw(ctx, 4)), 4)
    struck(ctx, :latency)
    Cluster.set_latency(range.first..last//1)
  end

  defp set(ctx, {:clock_skew, most}) do
    for node <- nodes(ctx), choice = draw(ctx, 5), choice > 0 do
      struck(ctx, :clock_skew)
      offset = div(most * (1 + div(choice - 1, 2)), 2)
      Cluster.set_clock(node, offset: if(rem(choice, 2) == 0, do: -offset, else: offset))
    end
  end

  defp nodes(ctx), do: for({node, _up?} <- Native.nodes(ctx.session), node != @control, do: node)
  defp nodes_up(ctx), do: for({node, true} <- Native.nodes(ctx.session), node != @control, do: node)

  defp pick(ctx, list), do: Enum.at(list, draw(ctx, length(list)))

  defp draw(ctx, count), do: Native.draw(ctx.session, count)
end
