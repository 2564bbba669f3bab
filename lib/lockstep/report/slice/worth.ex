defmodule Lockstep.Report.Slice.Worth do
  @moduledoc false
  # Which events are worth a row: not those with which OTP, Elixir and Lockstep keep their books.
  #
  # Some can be told by themselves (`Lockstep.Report.Words`), others only by what stands around them: the look at a name
  # that is about to be called or given to a new process, the end of a poll that empties the mailbox of one message, an
  # access of what nobody else touches, a timer that never fires, a child that a supervisor is asked for.

  alias Lockstep.Report.Slice.Touch
  alias Lockstep.Report.{Terms, Words}

  # So many steps of its own after the look at a name a process has started the server that is to have it.
  @soon 3
  # What happens to a process, which does nothing itself.
  @befalls ~w(deliver fire down exit_signal spawned linked watched unlinked led stall)a

  @doc "The positions of the events that are worth a row."
  @spec positions([map()], [map()]) :: MapSet.t(non_neg_integer())
  def positions(events, processes) do
    services = for %{service?: true, id: id} <- processes, into: MapSet.new(), do: id
    fired = for %{kind: :fire, object: timer} <- events, into: MapSet.new(), do: timer
    tasks = for event <- events, Words.task(event), into: MapSet.new(), do: event.process
    context = %{services: services, contended: Touch.contended(events), fired: fired, tasks: tasks, request: ""}

    events
    |> Enum.with_index()
    |> without_beginnings()
    |> Enum.group_by(fn {event, _at} -> event.process end)
    |> Enum.flat_map(fn {_process, own} -> of_process(own, nil, context) end)
    |> MapSet.new()
  end

  # Nodes start and connect before anything else; that one starts or connects again is something to tell.
  defp without_beginnings(indexed) do
    {kept, _gone} =
      Enum.flat_map_reduce(indexed, MapSet.new(), fn {event, _at} = entry, gone ->
        if begins?(event, gone), do: {[], gone}, else: {[entry], gone(event, gone)}
      end)

    kept
  end

  defp begins?(%{kind: :start_node} = event, gone), do: {:node, event.object} not in gone
  defp begins?(%{kind: :connected} = event, gone), do: pair(event) not in gone
  defp begins?(_event, _gone), do: false

  defp gone(%{kind: kind} = event, gone) when kind in [:stop_node, :crash_node] do
    MapSet.put(gone, {:node, event.object})
  end

  defp gone(%{kind: kind} = event, gone) when kind in [:disconnected, :refused], do: MapSet.put(gone, pair(event))
  defp gone(_event, gone), do: gone

  defp pair(event), do: {:pair, min(event.object, event.detail), max(event.object, event.detail)}

  defp of_process([], _before, _context), do: []

  defp of_process([{event, at} | rest], before, context) do
    context =
      if event.kind == :receive and event.text =~ "$gen_call", do: %{context | request: event.text}, else: context

    worth? = Words.worth_a_row?(event, context.services) and worth?(event, before, rest, context)
    before = if event.kind in @befalls, do: before, else: event
    if worth?, do: [at | of_process(rest, before, context)], else: of_process(rest, before, context)
  end

  defp worth?(%{kind: :whereis, text: text} = event, _before, rest, context) do
    if String.ends_with?(text, ": :undefined"),
      do: not Enum.any?(Enum.take(rest, @soon), &match?({%{kind: :spawn}, _at}, &1)),
      else: MapSet.member?(context.contended, Touch.of(event))
  end

  defp worth?(%{kind: kind} = event, _before, _rest, context) when kind in [:access, :register, :unregister] do
    touch = Touch.of(event)
    touch == nil or MapSet.member?(context.contended, touch)
  end

  defp worth?(%{kind: :timeout, text: "timeout after 0 ms"}, %{kind: kind}, _rest, _context) do
    kind not in [:cancel_timer, :demonitor, :unlink, :unalias]
  end

  defp worth?(%{kind: :start_timer} = event, _before, _rest, context), do: event.object in context.fired
  defp worth?(%{kind: :spawn}, _before, _rest, context), do: not start_child?(context.request)

  defp worth?(%{kind: :send, text: text}, _before, _rest, context) do
    not start_child?(text) and not (start_child?(context.request) and started?(text))
  end

  defp worth?(%{kind: :receive, text: text}, before, _rest, context) do
    not start_child?(text) and not (before != nil and start_child?(before.text) and started?(text)) and
      not end_of_task?(text, context.tasks)
  end

  # A task has ended when its result is there.
  defp worth?(%{kind: :exit, text: "exit :normal"} = event, _before, _rest, context),
    do: event.process not in context.tasks

  defp worth?(_event, _before, _rest, _context), do: true

  defp end_of_task?(text, tasks) do
    String.ends_with?(text, ", :normal}") and match?([_], Terms.split(text)) and
      Enum.any?(Words.dead(text), &(&1 in tasks))
  end

  # The answer to that.
  defp started?(text), do: text =~ ", {:ok, #PID<"

  defp start_child?(text), do: text =~ ~S({:"$gen_call", ) and text =~ ", {:start_child, "
end
