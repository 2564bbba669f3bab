defmodule Lockstep.Runtime.Always do
  @moduledoc false
  # `Lockstep.always/3`: what must hold at every moment of a run.
  #
  # A check that is made by an ordinary process of the run sees too little and changes too much. It runs when the
  # scheduler lets it, so a violation that is over before is missed; others go on while it reads, so it may see two leaders
  # that never were there at the same time; its steps make the schedule another one; and if it asks at intervals, there
  # is always something to wait for: no deadlock is found, and an hour of virtual time is a hundred thousand checks.
  #
  # So checks are made between the steps, by `Lockstep.Runtime.Onlooker`, after each one: they only read, which takes
  # neither steps nor time. The schedule is the same with and without them, and the last step of a run that fails is the
  # one that has broken the claim. They can read what is shared: tables, names, groups, counters, who lives. For what
  # only a process can tell there is `every:`, a process of the run that asks. It waits lazily: until so much time has
  # passed because of others, so that it neither makes the clock go nor keeps the run from ending.

  alias Lockstep.{AlwaysError, Native, OutsideRunError}
  alias Lockstep.Options.Arguments
  alias Lockstep.Runtime.{Call, Context, Mailbox, Onlooker, Place, Spawning, Stack, Turn}

  @options [every: {:pos_integer, nil}, for: {:milliseconds, nil}]
  @call "Lockstep.always/3"

  @type claim :: %{
          name: String.t() | atom(),
          number: pos_integer() | nil,
          fun: (... -> term()),
          node: node(),
          every: pos_integer() | nil,
          until: non_neg_integer() | nil,
          place: Place.t()
        }

  @type cause :: {:error | :exit | :throw, term(), Exception.stacktrace()}

  @doc false
  @spec declare(String.t() | atom(), (... -> term()), Place.t()) :: :ok
  def declare(name, fun, place), do: declare(name, fun, [], place)

  @doc "Has the claim checked from now on."
  @spec declare(String.t() | atom(), (... -> term()), keyword(), Place.t()) :: :ok
  def declare(name, fun, options, place) do
    ctx = Context.get() || raise OutsideRunError, call: @call
    Arguments.check_name!(name, @call)
    Arguments.check_function!(fun, @call)
    options = Arguments.read!(options, @options, @call)
    until = options.for && Native.now(ctx.session) + options.for * 1000
    place = place || Place.of_caller()
    start(ctx, %{name: name, number: nil, fun: fun, node: ctx.node, every: options.every, until: until, place: place})
  end

  defp start(ctx, %{every: nil} = claim), do: Onlooker.add(ctx, claim)

  defp start(ctx, claim) do
    Native.daemon(ctx.session, Spawning.spawn(fn -> ask(Context.get(), claim) end))
    :ok
  end

  defp ask(ctx, claim) do
    if current?(ctx, claim) do
      check(ctx, claim)
      Mailbox.doze(ctx, claim.every)
      ask(ctx, claim)
    end
  end

  @doc "Whether the time of the claim is not yet over."
  @spec current?(Context.t(), claim()) :: boolean()
  def current?(_ctx, %{until: nil}), do: true
  def current?(ctx, claim), do: Native.now(ctx.session) <= claim.until

  defp check(ctx, claim) do
    with {:fails, value, cause} <- outcome(claim), do: fail(ctx, claim, value, cause)
  end

  @doc "Whether the claim holds; if not, the value of the check or what it failed with."
  @spec outcome(claim()) :: :holds | {:fails, nil | false, cause() | nil}
  def outcome(claim) do
    case Call.apply(claim.fun, []) do
      value when value in [nil, false] -> {:fails, value, nil}
      _true -> :holds
    end
  catch
    kind, reason -> {:fails, nil, {kind, reason, Stack.clean(__STACKTRACE__)}}
  end

  @doc "Ends the run."
  @spec fail(Context.t(), claim(), nil | false, cause() | nil) :: :ok
  def fail(ctx, claim, value, cause) do
    {steps, micros, _hash} = Native.stats(ctx.session)
    error = %AlwaysError{name: claim.name, value: value, cause: cause, place: claim.place}
    :ets.insert(ctx.store, {:violation, %{error | step: steps, time: div(micros, 1000)}})
    Turn.take(Native.violated(ctx.session, ctx.id))
    :ok
  end
end
