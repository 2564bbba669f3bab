defmodule Lockstep.Runtime.Onlooker do
  @moduledoc false
  # The process of a run that looks on: the core gives it the turn after every step, and lets it read.
  #
  # It is made when the first claim is, and is on the control node, which is always up. What it reads it reads from the
  # node of who has made the claim, or from any other inside of `Lockstep.Cluster.run/2`.

  alias Lockstep.{Instrument, Native}
  alias Lockstep.Runtime.{Always, Context, Identity, Turn}

  @control :nonode@nohost
  @looking :"$lockstep_looking"

  @doc "Has a claim looked after until its time is over."
  @spec add(Context.t(), Always.claim()) :: :ok
  def add(ctx, claim) do
    number = :ets.update_counter(ctx.store, :claims, 1, {:claims, 0})
    :ets.insert(ctx.store, {{:claim, number}, claim})
    id = Native.onlooker(ctx.session)
    if number == 1, do: start(ctx, id)
    :ok
  end

  defp start(ctx, id) do
    pid = Identity.pid(id, 0)
    # Its reading is not put into words, or the words would be those of the step before.
    context = %{ctx | id: id, pid: pid, node: @control, record?: false}
    real = :erlang.spawn_opt(__MODULE__, :enter, [context], [{:scheduler, ctx.scheduler}])
    :ok = Native.born(ctx.session, id, pid, real)
  end

  @doc false
  @spec enter(Context.t()) :: no_return()
  def enter(ctx) do
    Process.link(ctx.warden)
    Process.flag(:error_handler, Instrument.Handler)
    Process.put(@looking, true)
    Context.put(ctx)
    # Not from the run's own randomness: what others draw must not depend on being looked at.
    Context.seed(0)
    Turn.wait()
    look(ctx, [], 0)
  end

  defp look(ctx, claims, known) do
    {claims, known} = learn(ctx, claims, known)
    claims = Enum.filter(claims, &Always.current?(ctx, &1))
    for claim <- claims, up?(ctx, claim.node), do: from(claim.node, fn -> Always.check(ctx, claim) end)
    Turn.take(Native.watch(ctx.session, ctx.id, claims != []))
    look(ctx, claims, known)
  end

  defp learn(ctx, claims, known) do
    case :ets.lookup_element(ctx.store, :claims, 2) do
      ^known -> {claims, known}
      number -> {claims ++ for(new <- (known + 1)..number, do: take(ctx, new)), number}
    end
  end

  defp take(ctx, number) do
    [{_, claim}] = :ets.take(ctx.store, {:claim, number})
    claim
  end

  defp up?(_ctx, @control), do: true
  defp up?(ctx, node), do: {node, true} in Native.nodes(ctx.session)

  @doc "Whether the caller only looks on."
  @spec looking?() :: boolean()
  def looking?, do: Process.get(@looking) == true

  @doc "Calls `fun` with what it reads read on a node."
  @spec from(node(), (... -> value)) :: value when value: term()
  def from(node, fun) do
    case Context.get() do
      %{node: ^node} -> fun.()
      ctx -> elsewhere(ctx, node, fun)
    end
  end

  defp elsewhere(ctx, node, fun) do
    stand_on(%{ctx | node: node})
    fun.()
  after
    stand_on(ctx)
  end

  defp stand_on(ctx) do
    :ok = Native.look_from(ctx.session, ctx.id, ctx.node)
    Context.put(ctx)
  end
end
