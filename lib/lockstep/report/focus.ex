defmodule Lockstep.Report.Focus do
  @moduledoc false
  # Where in a run its failure shows: the steps from which its story is traced back, and how the story ends.

  alias Lockstep.{AlwaysError, DeadlockError, ProcessFailure, StepLimitError, TimeLimitError, WatchdogError}
  alias Lockstep.Report.{Names, Stack}

  # Of a run that does not end, so many of the last steps show who is busy.
  @last 50

  @doc "The steps that the failure is: the last ones of whoever failed."
  @spec steps(term(), [map()], [map()]) :: [pos_integer()]
  def steps(error, events, processes), do: error |> who(events, processes) |> Enum.flat_map(&last(events, &1))

  defp who({:crash, _kind, _reason, _trace}, _events, _processes), do: [0]
  defp who(%ProcessFailure{process: %{id: id}}, _events, _processes), do: [id]
  defp who(%WatchdogError{process: %{id: id}}, _events, _processes), do: [id]
  defp who(%DeadlockError{processes: processes}, _events, _all), do: Enum.map(processes, & &1.id)

  defp who(%module{}, events, processes) when module in [StepLimitError, TimeLimitError] do
    services = for %{service?: true, id: id} <- processes, do: id
    events |> Enum.take(-@last) |> Enum.map(& &1.process) |> Enum.uniq() |> Enum.reject(&(&1 in services))
  end

  defp who(_error, events, _processes), do: events |> Enum.take(-1) |> Enum.map(& &1.process)

  @doc """
  The last step of a process, in a list of at most one. The end of the main process, which comes after its failure, is
  nothing to tell.
  """
  @spec last([map()], non_neg_integer()) :: [pos_integer()]
  def last(events, process) do
    events
    |> Enum.reverse()
    |> Enum.find(&(&1.process == process and not (process == 0 and &1.kind == :exit)))
    |> case do
      nil -> []
      event -> [event.step]
    end
  end

  @doc "The last row of the story, which tells of the failure itself; `nil` where the row before it does."
  @spec ending(term(), map() | nil, [map()]) :: map() | nil
  def ending({:crash, _kind, _reason, trace}, location, _processes) do
    row(0, "fails here", place(Stack.prune(trace), location))
  end

  def ending(%AlwaysError{} = error, _location, _processes),
    do: row(nil, error |> Exception.message() |> first_line(), nil)

  def ending(%DeadlockError{}, _location, _processes), do: row(nil, "nobody can go on", nil)

  def ending(%WatchdogError{process: %{} = process}, _location, processes) do
    row(process.id, "#{Names.build(processes)[process.id]} does not come back", nil)
  end

  def ending(%StepLimitError{}, _location, _processes), do: row(nil, "and so on", nil)
  def ending(_error, _location, _processes), do: nil

  defp row(process, text, place) do
    %{step: nil, time: nil, process: process, text: text, place: place, mark: false, fails: true}
  end

  defp first_line(text), do: text |> String.split("\n") |> hd()

  # In the test's own file if it is in the trace.
  defp place(trace, location) do
    frames = Enum.filter(trace, &Stack.program?/1)
    places = for {_, _, _, at} <- frames, at[:file], at[:line], do: {to_string(at[:file]), at[:line]}
    file = location[:file] && Path.basename(location[:file])

    case Enum.find(places, List.first(places), fn {name, _line} -> Path.basename(name) == file end) do
      {name, line} -> "#{Path.basename(name)}:#{line}"
      nil -> nil
    end
  end
end
