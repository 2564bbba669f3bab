defmodule Lockstep.Report.Story.Rows do
  @moduledoc false
  # The rows of a story: events in words, without what the row before or after says better.

  alias Lockstep.Report.{Facts, Words}

  @doc "A row for each event of the story that needs one, and the ending."
  @spec of(Facts.t()) :: [Lockstep.Report.Story.row()]
  def of(facts) do
    marked = Facts.decisive(facts.shrunk)
    tasks = for %{id: id, task: task} <- facts.processes, task, into: %{}, do: {id, task}
    rows = facts.slice.events |> without_arrivals(marked) |> Enum.map(&row(&1, facts.names, tasks, marked))
    rows ++ List.wrap(facts.ending)
  end

  # That a message arrives is told by its being received, unless something comes between.
  defp without_arrivals(events, marked) do
    events
    |> Enum.reverse()
    |> Enum.reduce({[], %{}}, fn event, {kept, next} ->
      silent? = event.kind == :deliver and match?(%{kind: :receive}, next[event.process]) and event.step not in marked
      {if(silent?, do: kept, else: [event | kept]), Map.put(next, event.process, event)}
    end)
    |> elem(0)
  end

  defp row(event, names, tasks, marked) do
    %{
      step: event.step,
      time: event.time,
      process: if(Words.cluster?(event), do: nil, else: event.process),
      text: words(event, names, tasks),
      place: place(event),
      mark: event.step in marked,
      fails: false
    }
  end

  # Of a task what it does, of another process what it was started for unless it is called so.
  defp words(%{kind: :spawn, object: child} = event, names, tasks) do
    [spawned | purpose] = event |> Words.of(names) |> String.split(": ", parts: 2)

    case tasks[child] || purpose do
      [] -> spawned
      [purpose] -> if said?(purpose, names[child]), do: spawned, else: "#{spawned}: #{purpose}"
      task -> "#{spawned}: #{task}"
    end
  end

  defp words(event, names, _tasks), do: Words.of(event, names)

  defp said?(purpose, name), do: name != nil and String.contains?(name, purpose)

  @doc "The place of an event in the source, as short as it can be told; `nil` where it is not known."
  @spec place(map()) :: String.t() | nil
  def place(%{place: {file, line}}) when is_integer(line), do: "#{Path.basename(to_string(file))}:#{line}"
  def place(_event), do: nil
end
