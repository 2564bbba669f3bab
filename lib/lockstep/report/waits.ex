defmodule Lockstep.Report.Waits do
  @moduledoc """
  Who waits for whom, told from the events of a run.

  A process waits for another if the last thing that it did was to call that one, or to send it a message with its own pid
  or a reference in it, and no answer has come; or if it has begun a task that has not ended. That is all that can be
  known without its code: a process that waits for a message that anybody may send waits for nobody in particular.
  """

  alias Lockstep.Report.{Roles, Terms, Words}
  alias Lockstep.Report.Words.Message

  # What happens to a process, or does not end its waiting.
  @passive ~w(deliver fire down exit_signal spawned linked watched unlinked led stall receive monitor look)a

  @typedoc "`:process` waits for `:for`. `:what` is what it has sent, as in the trace; `nil` for a task. `:step`: since when."
  @type wait :: %{
          process: non_neg_integer(),
          for: non_neg_integer(),
          kind: :call | :message | :task,
          what: String.t() | nil,
          step: pos_integer()
        }

  @doc """
  The waits at the end of `events`.

  ## Example

      Lockstep.Report.Waits.of(result.events, result.processes)
      #=> [%{process: 1, for: 2, kind: :call, what: ":get", step: 36}]

  """
  @spec of([map()], [map()]) :: [wait()]
  def of(events, processes) do
    gone = for %{kind: kind, process: id} <- events, kind in [:exit, :killed], into: MapSet.new(), do: id
    tasks = for %{id: id, task: task} <- Roles.label(processes, events), task, into: MapSet.new(), do: id
    latest = Enum.group_by(Enum.reverse(events), & &1.process)

    receivers = receivers(events, processes)

    for %{id: id, service?: false} <- Enum.map(processes, &Map.put_new(&1, :service?, false)),
        id not in gone,
        wait <- waits(id, latest[id] || [], gone, tasks),
        wait = %{wait | for: receiver(wait, receivers)},
        wait.for not in [nil, id],
        do: Map.delete(wait, :event)
  end

  # Who has a name on another node shows only when the message arrives there, and by the name if it does not.
  defp receivers(events, processes) do
    delivered = for %{kind: :deliver} = event <- events, into: %{}, do: {event.object, event.process}

    addresses =
      for %{id: id, label: label, node: node} <- processes, label, into: %{}, do: {"{#{label}, #{inspect(node)}}", id}

    known = for %{id: id} <- processes, into: %{}, do: {id, id}
    %{delivered: delivered, addresses: addresses, known: known}
  end

  defp receiver(%{event: %{text: "send " <> sending} = event} = wait, receivers) do
    {_message, destination} = Terms.sending(sending)
    receivers.known[wait.for] || receivers.delivered[event.object] || receivers.addresses[destination]
  end

  defp receiver(wait, _receivers), do: wait.for

  # `latest`: what the process did, the latest first.
  defp waits(id, latest, gone, tasks) do
    {since, rest} = Enum.split_while(latest, &(&1.kind in @passive))

    case rest do
      [%{kind: :send} = event | _] -> asked(id, event, since) || awaited(id, latest, gone, tasks)
      _ -> awaited(id, latest, gone, tasks)
    end
  end

  defp asked(id, %{text: "send " <> sending} = event, since) do
    {message, _destination} = Terms.sending(sending)
    answers = for %{kind: :receive} = receive <- since, do: receive.text
    wait = %{process: id, for: event.detail, kind: :message, what: message, step: event.step, event: event}

    case Message.read(message) do
      {:call, _from, what} -> unless answered?(message, answers), do: [%{wait | kind: :call, what: what}]
      {:other, what} -> if answers == [] and asks?(what, id), do: [wait]
      _ -> nil
    end
  end

  defp asked(_id, _event, _since), do: nil

  # The reference of a call is in its answer. What else is received meanwhile stays in the mailbox.
  defp answered?(call, answers) do
    case Regex.run(~r/#Reference<[\d.]+>/, call) do
      [reference] -> Enum.any?(answers, &String.contains?(&1, reference))
      nil -> answers != []
    end
  end

  defp asks?(message, id), do: id in Words.pids(message) or message =~ "#Reference<"

  defp awaited(id, latest, gone, tasks) do
    for %{kind: :spawn, object: child, step: step} <- latest, child in tasks, child not in gone do
      %{process: id, for: child, kind: :task, what: nil, step: step, event: nil}
    end
    |> Enum.reverse()
  end

  @doc """
  A cycle among `waits`, as the list of those that make it up; `[]` if there is none.

  ## Examples

      iex> waits = for {a, b} <- [{0, 1}, {1, 2}, {2, 1}], do: %{process: a, for: b}
      iex> Lockstep.Report.Waits.cycle(waits)
      [%{process: 1, for: 2}, %{process: 2, for: 1}]

  """
  @spec cycle([wait()]) :: [wait()]
  def cycle(waits) do
    by = Enum.group_by(waits, & &1.process)
    Enum.find_value(waits, [], &follow(&1, [], by))
  end

  defp follow(wait, path, by) do
    path = [wait | path]

    case Enum.split_while(Enum.reverse(path), &(&1.process != wait.for)) do
      {_before, [_ | _] = cycle} -> cycle
      _ -> if repeats?(path), do: nil, else: Enum.find_value(by[wait.for] || [], &follow(&1, path, by))
    end
  end

  defp repeats?([%{process: process} | path]), do: Enum.any?(path, &(&1.process == process))

  @doc """
  The waits from `process` on: those it hangs in itself, and those of whom it waits for.
  """
  @spec from([wait()], non_neg_integer()) :: [wait()]
  def from(waits, process),
    do: waits |> Enum.group_by(& &1.process) |> reach([process], MapSet.new()) |> Enum.sort_by(& &1.step)

  defp reach(_by, [], _seen), do: []

  defp reach(by, [process | rest], seen) do
    if process in seen do
      reach(by, rest, seen)
    else
      waits = by[process] || []
      waits ++ reach(by, rest ++ Enum.map(waits, & &1.for), MapSet.put(seen, process))
    end
  end

  @doc """
  With what the servers that are waited for have done last: whom they have answered, in case that one has what is
  wanted.

  For a cycle through servers that are idle themselves, such as locks. `:kind` is then `:answered`.
  """
  @spec with_answers([wait()], [map()]) :: [map()]
  def with_answers(waits, events) do
    waiting = MapSet.new(waits, & &1.process)

    idle =
      for %{for: id, kind: kind} = wait <- waits, kind != :task, id not in waiting, into: %{}, do: {id, wait.process}

    answers =
      for %{kind: :send} = event <- events,
          idle[event.process] not in [nil, event.detail],
          into: %{},
          do: {event.process, event}

    waits ++
      for({id, event} <- answers, do: %{process: id, for: event.detail, kind: :answered, what: nil, step: event.step})
  end
end
