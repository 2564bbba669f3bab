defmodule Lockstep.Report.Roles do
  @moduledoc false
  # What processes without a registered name are: tasks are told what to do, and supervisors are asked for children.

  alias Lockstep.Report.Words

  @doc "The processes, those without a name labelled by what they are; a task has its function under `:task`."
  @spec label([map()], [map()]) :: [map()]
  def label(processes, events) do
    nameless = for %{id: id, label: nil} <- processes, into: MapSet.new(), do: id
    roles = for event <- events, event.process in nameless, role = role(event), into: %{}, do: {event.process, role}

    Enum.map(processes, fn process ->
      case roles[process.id] do
        nil -> process
        {label, task} -> Map.merge(process, %{label: label, task: task})
      end
    end)
  end

  defp role(%{kind: :receive, text: text} = event) do
    case Words.task(event) do
      nil -> if text =~ ~S({:"$gen_call", ) and text =~ ", {:start_child, ", do: {"Supervisor", nil}
      task -> {"Task", task}
    end
  end

  defp role(_event), do: nil
end
