defmodule Lockstep.Report.Facts do
  @moduledoc false
  # All that a report tells of a failure, worked out once for the text and for JSON.
  #
  # If the schedule was shrunk, what is told is the run of the shrunk one: it fails in the same way, with less around it.

  alias Lockstep.{DeadlockError, Failure}
  alias Lockstep.Report.{Deadlock, Focus, Mentions, Names, Roles, Slice, References, Waits}

  defstruct [:failure, :error, :result, :shrunk, :processes, :names, :slice, :ending, :timeout, :waits, :cycle]

  @type t :: %__MODULE__{
          failure: Failure.t(),
          error: term(),
          result: map(),
          shrunk: map() | nil,
          processes: [map()],
          names: Names.names(),
          slice: Slice.t(),
          ending: map() | nil,
          timeout: map() | nil,
          waits: [map()],
          cycle: {:certain | :possible, [map()]} | nil
        }

  @doc "What is to be told of `failure`."
  @spec of(Failure.t()) :: t()
  def of(%Failure{} = failure) do
    shrunk = Map.get(failure, :shrunk)
    result = result(shrunk, failure)
    error = error(result, failure.error)
    processes = Roles.label(result.processes, result.events)

    names =
      processes
      |> Names.addresses()
      |> Map.merge(Names.build(processes))
      |> Map.merge(References.names(result.events))

    %__MODULE__{failure: failure, error: error, result: result, shrunk: shrunk, processes: processes, names: names}
    |> with_story()
    |> with_cycle()
  end

  defp result(%{result: %{events: [_ | _]} = result}, _failure), do: result
  defp result(_shrunk, failure), do: failure.result

  # The same error as that of the first run, with the values of the run that is told.
  defp error(%{outcome: {:error, error}}, _error), do: error
  defp error(_result, error), do: error

  defp with_story(facts) do
    %{error: error, processes: processes, result: %{events: events}} = facts
    roots = Focus.steps(error, events, processes)
    options = [keep: decisive(facts.shrunk), patterns: Mentions.patterns(error)]
    slice = Slice.of(events, processes, roots, options)
    timeout = Deadlock.timeout(slice.events, events, processes)

    %{
      facts
      | slice: if(timeout, do: Slice.of(events, processes, roots ++ hung_on(timeout, events), options), else: slice),
        timeout: timeout && timeout.event,
        waits: waits(timeout, facts),
        ending: Focus.ending(error, facts.failure.location, processes)
    }
  end

  # What a call hung on that has timed out is a cause of that, though nothing was sent.
  defp hung_on(timeout, events) do
    before = Enum.take_while(events, &(&1.step < timeout.event.step))
    for id <- Enum.uniq(Enum.map(timeout.waits, & &1.for)), step <- Focus.last(before, id), do: step
  end

  defp waits(nil, %{error: %DeadlockError{}} = facts), do: Waits.of(facts.result.events, facts.processes)
  defp waits(nil, _facts), do: []
  defp waits(timeout, _facts), do: timeout.waits

  defp with_cycle(%{error: error} = facts) do
    supposed = if is_struct(error, DeadlockError), do: Waits.with_answers(facts.waits, facts.result.events), else: []

    case {Waits.cycle(facts.waits), Waits.cycle(supposed)} do
      {[_ | _] = cycle, _} -> %{facts | cycle: {:certain, cycle}}
      {[], [_ | _] = cycle} -> %{facts | cycle: {:possible, cycle}}
      {[], []} -> facts
    end
  end

  @doc "The steps of the two events whose order decides, the earlier one first; none if they are not known."
  @spec decisive(map() | nil) :: [pos_integer()]
  def decisive(%{pair: {earlier, later}}), do: [earlier.step, later.step]
  def decisive(_shrunk), do: []
end
