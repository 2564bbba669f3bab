defmodule Lockstep.Report.Deadlock do
  @moduledoc false
  # Who waits for whom: in a deadlock all that are left, at the end of a call's time those that it hung on.

  alias Lockstep.Report.{Colour, Facts, Layout, Table, Time, Waits, Words}
  alias Lockstep.Report.Story.Rows
  alias Lockstep.Report.Words.Message

  @doc "The error of a deadlock."
  @spec error(Facts.t(), pos_integer()) :: String.t()
  def error(facts, width) do
    text =
      "** (Lockstep.DeadlockError) deadlock: no process can run, no timer is set, no message is under way, and the " <>
        "function has not returned"

    Enum.join([Colour.paint(:red, Layout.paragraphs(text, width)) | conclusion(facts, width)], "\n\n")
  end

  defp conclusion(%{cycle: nil, names: names, error: error}, width) do
    first = with [process | _] <- error.processes, do: names[process.id], else: (_ -> "main")
    [Layout.paragraphs("look for the message that #{first} waits for: nobody is left to send it", width)]
  end

  defp conclusion(facts, width), do: cycle(facts, width)

  @doc "The part of a report that tells who waits for whom, as a list of paragraphs; none if nobody does."
  @spec format(Facts.t(), pos_integer()) :: [String.t()]
  def format(%{error: %Lockstep.DeadlockError{processes: processes}} = facts, width) do
    rows =
      for process <- processes, do: row(process, Enum.filter(facts.waits, &(&1.process == process.id)), facts.names)

    [title("who waits for whom", width), Table.format(["process", "waits for", "in", "unread messages"], rows, width)]
  end

  def format(%{timeout: nil}, _width), do: []

  def format(%{timeout: timeout, waits: waits, names: names} = facts, width) do
    rows =
      for wait <- waits,
          do: [names[wait.process], names[wait.for] <> what(wait, names), "step #{Time.digits(wait.step)}"]

    title = "who waited for whom when the time of #{names[timeout.process]}'s call was up (step #{timeout.step})"
    [title(title, width), Table.format(["process", "waits for", "since"], rows, width) | cycle(facts, width)]
  end

  defp title(text, width), do: Colour.paint(:bright, Layout.paragraphs(text, width))

  defp row(process, waits, names) do
    [
      names[process.id] || "##{process.id}",
      target(waits, names),
      code(process),
      unread(process.unread, names)
    ]
  end

  # The function that waits, without the library that it is in: where the program has called it says more.
  defp code(%{waiting_in: nil}), do: "?"

  defp code(%{waiting_in: waiting_in} = process) do
    function = String.replace(waiting_in, ~r/^(\([^)]*\) )?\S+:\d+: /, "")
    if place = Rows.place(process), do: "#{function} at #{place}", else: function
  end

  defp target([], _names), do: "a message"
  defp target(waits, names), do: Enum.map_join(waits, "\n", &(names[&1.for] <> what(&1, names)))

  defp what(%{kind: :task}, _names), do: ", its task"
  defp what(%{kind: :call, what: what}, names), do: ": call #{Words.short(what, names)}"
  defp what(%{kind: :message, what: what}, names), do: ": sent #{Words.short(what, names)}"

  defp unread([], _names), do: "none"
  defp unread(messages, names), do: Enum.map_join(messages, "\n", &Words.message(Message.read(&1), names))

  defp cycle(%{cycle: nil}, _width), do: []
  defp cycle(%{cycle: {:certain, cycle}} = facts, width), do: [title("a cycle: " <> chain(cycle, facts.names), width)]

  defp cycle(%{cycle: {:possible, cycle}} = facts, width),
    do: [title("perhaps a cycle: " <> chain(cycle, facts.names), width)]

  defp chain([first | _] = cycle, names),
    do: names[first.process] <> Enum.map_join(cycle, ", which", &link(&1, names))

  defp link(%{kind: :answered} = wait, names), do: " has last answered #{names[wait.for]}"
  defp link(wait, names), do: " waits for #{names[wait.for]}"

  @doc "The first call that has timed out of those that led to the failure, and who then waited for whom."
  @spec timeout([map()], [map()], [map()]) :: %{event: map(), waits: [Waits.wait()]} | nil
  def timeout(led_to, events, processes) do
    timeouts = for %{kind: :timeout, text: text} = event <- led_to, text != "timeout after 0 ms", do: event

    Enum.find_value(timeouts, fn event ->
      waits = events |> Enum.take_while(&(&1.step < event.step)) |> Waits.of(processes) |> Waits.from(event.process)
      if Enum.any?(waits, &(&1.process == event.process and &1.kind == :call)), do: %{event: event, waits: waits}
    end)
  end
end
