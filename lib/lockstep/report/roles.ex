defmodule Lockstep.Report.Roles do
  @moduledoc false
  # What processes without a registered name are: tasks are told what to do, and the others were started for something.

  alias Lockstep.Report.Words

  @doc "The processes, those without a name labelled by what they are; a task has its function under `:task`."
  @spec label([map()], [map()]) :: [map()]
  def label(processes, events) do
    nameless = for %{id: id, label: nil} <- processes, into: MapSet.new(), do: id

    modules =
      for %{kind: :spawn} = event <- events,
          event.object in nameless,
          name = started(event),
          into: %{},
          do: {event.object, name}

    tasks =
      for event <- events, event.process in nameless, task = Words.task(event), into: %{}, do: {event.process, task}

    Enum.map(processes, &labelled(&1, modules[&1.id], tasks[&1.id]))
  end

  defp labelled(process, nil, nil), do: process
  defp labelled(process, module, nil), do: %{process | label: module}
  defp labelled(process, _module, task), do: Map.merge(process, %{label: "Task", task: task})

  # A module is a name; a function is told where the process is started.
  defp started(%{text: text}) do
    case Regex.run(~r/^spawn #PID<[\d.]+>: (:?[\w.]+)$/, text) do
      [_, name] -> name
      nil -> nil
    end
  end
end
