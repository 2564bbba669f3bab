defmodule Lockstep.Report.Slice.Causes do
  @moduledoc false
  # What came of what: for each event of a recorded run the earlier events that it directly depends on.
  #
  # Besides what the same process did before, that is: for a `receive` the sending (or the delivery) of what it took, for
  # a delivery the sending, for a timer's message the start of the timer, for the first step of a process its spawn, for
  # a death the signal that killed it, for DOWN and EXIT messages the death, for an access of shared state and of a name
  # the latest conflicting ones of other processes, and for what the network does and what did not arrive in time the
  # fault before it.
  #
  # Events are known by their position in the list. What the numbers of an event mean depends on its kind
  # (`native/lockstep_core/src/trace.rs`). Which messages a `receive` took is told from its text: all that has arrived
  # is taken at once, and some of it may have been taken back before.

  alias Lockstep.Report.Slice.Touch
  alias Lockstep.Report.Words

  @faults ~w(partition cut heal release crash_node stop_node start_node pause_node pause disconnect set_latency)a
  @news ~w(connected disconnected refused tick busy)a

  defstruct homes: %{},
            apart: MapSet.new(),
            last: %{},
            sent: %{},
            arrived: %{},
            missed: %{},
            spawned: %{},
            ended: %{},
            signalled: %{},
            timers: %{},
            touched: %{},
            fault: nil

  @type position :: non_neg_integer()
  @type causes :: %{before: position() | nil, others: [position()]}

  @doc "For each position: what its process did just before, and the other causes."
  @spec of([map()], [map()]) :: %{position() => causes()}
  def of(events, processes) do
    state = %__MODULE__{homes: Map.new(processes, &{&1.id, &1.node}), apart: apart(events)}

    {causes, _state} =
      events
      |> Enum.with_index()
      |> Enum.map_reduce(state, fn {event, at}, state ->
        {others, state} = cause(event, at, state)
        others = others |> Enum.reject(&is_nil/1) |> Enum.uniq()
        {{at, %{before: state.last[event.process], others: others}}, passed(state, event, at)}
      end)

    Map.new(causes)
  end

  # Messages whose arrival is an event of its own.
  defp apart(events) do
    for %{kind: kind} = event <- events,
        kind == :deliver or (kind == :lost and event.process == nil),
        into: MapSet.new(),
        do: event.object
  end

  defp passed(state, %{process: nil}, _at), do: state
  defp passed(state, %{process: process}, at), do: %{state | last: Map.put(state.last, process, at)}

  defp cause(%{kind: :send} = event, at, state) do
    state = %{state | sent: Map.put(state.sent, event.object, {at, event})}
    here? = event.object not in state.apart and state.homes[event.detail] == state.homes[event.process]
    {[], if(here?, do: arrive(state, event.detail, at, Words.payload(event.text)), else: state)}
  end

  defp cause(%{kind: :deliver} = event, at, state) do
    {sending, sent} = Map.get(state.sent, event.object, {nil, event})
    {[sending], arrive(state, event.process, at, Words.payload(sent.text))}
  end

  defp cause(%{kind: :lost} = event, at, state) do
    {sending, sent} = Map.get(state.sent, event.object, {nil, event})
    receiver = if event.process == nil, do: sent.detail, else: event.detail
    {[sending, state.fault], %{state | missed: Map.update(state.missed, receiver, [at], &[at | &1])}}
  end

  defp cause(%{kind: :fire} = event, at, state) do
    {start, started} = Map.get(state.timers, event.object, {nil, %{text: ""}})
    {[start], arrive(state, event.process, at, Words.payload(started.text))}
  end

  defp cause(%{kind: :start_timer} = event, at, state) do
    {[], %{state | timers: Map.put(state.timers, event.object, {at, event})}}
  end

  defp cause(%{kind: :cancel_timer} = event, _at, state) do
    {start, _} = Map.get(state.timers, event.object, {nil, nil})
    {[start], state}
  end

  defp cause(%{kind: :receive} = event, _at, state) do
    {arrived, state} = take(state, event.process)
    taken = Enum.filter(arrived, fn {_at, payload} -> payload == nil or String.contains?(event.text, payload) end)
    messages = for {at, _payload} <- if(event.text in ["", "receive"], do: arrived, else: taken), do: at
    {messages ++ deaths(event.text, state) ++ nodes(event.text, state), missed_none(state, event.process)}
  end

  defp cause(%{kind: :timeout} = event, _at, state) do
    {Map.get(state.missed, event.process, []) ++ [state.fault], missed_none(state, event.process)}
  end

  defp cause(%{kind: :spawn, object: child}, at, state), do: {[], put_in(state.spawned[child], at)}
  defp cause(%{kind: :start, process: process}, _at, state), do: {[state.spawned[process]], state}

  defp cause(%{kind: :signal} = event, at, state), do: {[], put_in(state.signalled[event.object], at)}

  # Of no matter unless it kills, or is received as a message.
  defp cause(%{kind: :exit_signal} = event, at, state) do
    {[], put_in(state.signalled[event.process], state.ended[event.detail] || state.signalled[event.process] || at)}
  end

  defp cause(%{kind: :exit} = event, at, state), do: {[], put_in(state.ended[event.process], at)}

  defp cause(%{kind: :killed} = event, at, state) do
    {[state.signalled[event.process] || state.fault], put_in(state.ended[event.process], at)}
  end

  defp cause(%{kind: kind} = event, at, state) when kind in [:access, :register, :unregister, :whereis] do
    case Touch.of(event) do
      nil ->
        {[], state}

      {whole, part} ->
        touched = Map.get(state.touched, whole, %{})
        touch = {at, event.process, part, Touch.changes?(event)}
        {conflicting(touched, touch), put_in(state.touched[whole], add(touched, touch))}
    end
  end

  defp cause(%{kind: kind}, at, state) when kind in @faults, do: {[state.fault], %{state | fault: at}}
  defp cause(%{kind: kind}, _at, state) when kind in @news, do: {[state.fault], state}
  defp cause(_event, _at, state), do: {[], state}

  defp arrive(state, nil, _at, _payload), do: state
  defp arrive(state, process, at, payload), do: update_in(state.arrived[process], &[{at, payload} | &1 || []])

  defp take(state, process) do
    {arrived, rest} = Map.pop(state.arrived, process, [])
    {Enum.reverse(arrived), %{state | arrived: rest}}
  end

  defp missed_none(state, process), do: %{state | missed: Map.delete(state.missed, process)}

  defp deaths(text, state), do: for(id <- Words.dead(text), do: state.ended[id])

  defp nodes(text, state), do: if(text =~ ~r/\{:node(up|down), |:noconnection/, do: [state.fault], else: [])

  # For each process and part the latest look and the latest change.
  defp add(touched, {at, process, part, change?}), do: Map.put(touched, {process, part, change?}, at)

  defp conflicting(touched, {_at, process, part, change?}) do
    for {{other, its_part, its_change?}, at} <- touched,
        other != process,
        change? or its_change?,
        Touch.overlap?(part, its_part),
        do: at
  end
end
