defmodule Lockstep.Runtime.Eventually do
  @moduledoc false
  # `Lockstep.eventually/2`: asks again and again, in virtual time inside a run and in real time outside of one.
  #
  # Each wait is a `receive` that takes nothing, as in `Process.sleep/1`: the others go on meanwhile.

  alias Lockstep.{EventuallyError, Native}
  alias Lockstep.Options.Arguments
  alias Lockstep.Runtime.{Call, Context, Mailbox, Place}

  @options [within: {:milliseconds, 5_000}, every: {:pos_integer, 10}]
  @call "Lockstep.eventually/2"

  # What says "not yet". Anything else that is raised is a mistake of the check, or of what it calls.
  @failures [ExUnit.AssertionError, EventuallyError]

  @doc false
  @spec run((... -> value), Place.t()) :: value when value: term()
  def run(fun, place), do: run(fun, [], place)

  @doc "The first value of `fun` that is neither `nil` nor `false`."
  @spec run((... -> value), keyword(), Place.t()) :: value when value: term()
  def run(fun, options, place) do
    Arguments.check_function!(fun, @call)
    options = Arguments.read!(options, @options, @call)
    start = now()
    poll(%{fun: fun, every: options.every, start: start, until: start + options.within, place: place}, 1)
  end

  defp poll(state, number) do
    with {:not_yet, outcome} <- attempt(state.fun) do
      now = now()
      if now >= state.until, do: raise(error(state, number, now, outcome))
      wait(min(state.every, state.until - now))
      poll(state, number + 1)
    else
      {:met, value} -> value
    end
  end

  defp attempt(fun) do
    case Call.apply(fun, []) do
      value when value in [nil, false] -> {:not_yet, {value, nil}}
      value -> {:met, value}
    end
  catch
    :error, %module{} = failure when module in @failures -> {:not_yet, {nil, failure}}
  end

  defp error(state, checks, now, {value, cause}) do
    %EventuallyError{
      value: value,
      cause: cause,
      checks: checks,
      waited: now - state.start,
      virtual?: Context.inside?(),
      place: state.place || Place.of_caller()
    }
  end

  # Reading the clock is no step: what the program sees of the time it sees in its own checks.
  defp now do
    case Context.get() do
      nil -> System.monotonic_time(:millisecond)
      ctx -> div(Native.now(ctx.session), 1000)
    end
  end

  defp wait(milliseconds) do
    if Context.inside?(), do: Mailbox.await(fn _message -> :skip end, milliseconds), else: Process.sleep(milliseconds)
  end
end
