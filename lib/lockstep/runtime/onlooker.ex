defmodule Lockstep.Runtime.Onlooker do
  @moduledoc false
  # The process of a run that looks on: the core gives it the turn after every step, and lets it read.
  #
  # It is made when the first claim is, and is on the control node, which is always up. What it reads it reads from the
  # node of who has made the claim, or from any other inside of `Lockstep.Cluster.run/2`.

  alias Lockstep.{Instrument, Native}
  alias Lockstep.Runtime.{Always, Context, Identity, Services, Turn}

  require Turn

  @control :nonode@nohost
  @looking :"$lockstep_looking"
  @need :"$lockstep_need"

  # To look at a claim for the first time. Above the numbers of table entries, which are hashes of 27 bits.
  @object 1_000_000_002

  @doc "Has a claim looked after until its time is over."
  @spec add(Context.t(), Always.claim()) :: :ok
  def add(ctx, claim) do
    number = :ets.update_counter(ctx.store, :claims, 1, {:claims, 0})
    :ets.insert(ctx.store, {{:claim, number}, %{claim | number: number}})
    id = Native.onlooker(ctx.session)
    if number == 1, do: start(ctx, id)
    settle(ctx, number, claim.name)
  end

  # Processes that a node has from the start are started when something first asks for them. A look cannot do that, so
  # whoever makes the claim starts what the first look has missed.
  defp settle(ctx, number, name) do
    Turn.take(Native.access(ctx.session, ctx.id, @object, false))
    Turn.note(ctx, fn -> {"always #{inspect(name)}", name} end)

    case :ets.take(ctx.store, {@need, number}) do
      [] ->
        :ets.insert(ctx.store, {{:claim_settled, number}})
        :ok

      [{_, node, service}] ->
        Services.ensure(ctx, {service, node})
        settle(ctx, number, name)
    end
  end

  @doc "Says that a look needs a service of a node."
  @spec need(Context.t(), node(), atom()) :: :ok
  def need(ctx, node, service) do
    if not up?(ctx, node) or there?(ctx, node, service), do: :ok, else: throw({@need, node, service})
  end

  # It has its name before it is ready.
  defp there?(ctx, node, service) do
    case :ets.lookup(ctx.store, {:service, node, service}) do
      [{_, {state, _root}}] -> state == :running
      [] -> service in Native.names(ctx.session, node)
    end
  end

  defp start(ctx, id) do
    pid = Identity.pid(id, 0)
    # Its reading is not put into words, or the words would be those of the step before.
    context = %{ctx | id: id, pid: pid, node: @control, node_number: 0, record?: false}
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
    Turn.wait()
    look(ctx, [], 0)
  end

  defp look(ctx, claims, known) do
    {claims, known} = learn(ctx, claims, known)
    claims = Enum.filter(claims, &Always.current?(ctx, &1))
    for claim <- claims, up?(ctx, claim.node), do: from(claim.node, fn -> check(ctx, claim) end)
    Turn.take(Native.watch(ctx.session, ctx.id, claims != []))
    look(ctx, claims, known)
  end

  defp check(ctx, claim) do
    case Always.outcome(claim) do
      :holds -> :ok
      {:fails, nil, {:throw, {@need, node, service}, _stack}} -> missing(ctx, claim, node, service)
      {:fails, value, cause} -> Always.fail(ctx, claim, value, cause)
    end
  end

  defp missing(ctx, claim, node, service) do
    if :ets.member(ctx.store, {:claim_settled, claim.number}) do
      message = "the check needs #{inspect(service)} on #{inspect(node)}, which nothing has made use of there so far"
      Always.fail(ctx, claim, nil, {:error, %ArgumentError{message: message}, []})
    else
      :ets.insert(ctx.store, {{@need, claim.number}, node, service})
    end
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
