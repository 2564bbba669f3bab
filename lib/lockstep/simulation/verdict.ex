defmodule Lockstep.Simulation.Verdict do
  @moduledoc false
  # Makes the result of a run from what the core, the warden and the processes know at its end.

  alias Lockstep.Native
  alias Lockstep.Report.Names
  alias Lockstep.Runtime.{Faults, Mailbox, Notebook, Output, Place, Sometimes, Stack}
  alias Lockstep.Simulation.{Events, Result}

  @last_steps 1000

  @doc "The result; `stop` ends the processes once they have been looked at."
  @spec result(map(), (map() -> :ok)) :: Result.t()
  def result(state, stop) do
    outcome = outcome(state)
    {steps, micros, hash} = Native.stats(state.session)
    stop.(state)

    result = %Result{
      outcome: outcome,
      value: value(state.main),
      steps: steps,
      virtual_ms: div(micros, 1000),
      hash: hash,
      interleaving: Native.interleaving(state.session),
      profile: if(state.config.strategy == :profile, do: Native.profile(state.session)),
      faults: Faults.count(state.store),
      escapes: Enum.sort(Notebook.all(state.store, :escaped)),
      sometimes: Sometimes.all(state.store),
      trail: trail(state)
    }

    if state.config.record, do: recorded(result, state), else: result
  end

  # Asked only where there is one: the core tells of it on a dirty scheduler, which would cost each run two wake-ups.
  defp trail(%{config: %{strategy: {kind, _plan}, record: record?}} = state) when kind in [:along, :guided],
    do: Native.trail(state.session, record?)

  defp trail(_state), do: nil

  defp recorded(result, %{session: session, store: store}) do
    %{
      result
      | processes: processes(session),
        events: Events.in_words(Native.events(session), Native.node_names(session)),
        choices: Native.choices(session),
        trace: Native.trace(session),
        output: Output.all(store),
        stacks: for([step, stack] <- :ets.match(store, {{:stack, :"$1"}, :"$2"}), into: %{}, do: {step, stack})
    }
  end

  @doc "The processes of the run, in the order they were started."
  @spec processes(Native.session()) :: [Result.process()]
  def processes(session) do
    for {id, node, name, daemon?} <- Native.processes(session) do
      %{id: id, node: node, label: label(id, name), service?: daemon?}
    end
  end

  defp label(0, _name), do: "main"
  defp label(_id, nil), do: nil
  defp label(_id, name), do: inspect(name)

  defp value({:ok, value}), do: value
  defp value(_), do: nil

  # An escape comes first: what else went wrong may be its consequence.
  defp outcome(state) do
    case {:ets.lookup(state.store, :escape), state} do
      {[{:escape, error}], _} -> {:error, error}
      {[], %{stuck: error}} -> {:error, error}
      {[], _} -> judge(Native.outcome(state.session), state)
    end
  end

  defp judge(:done, %{main: {:ok, _}}), do: :ok
  defp judge(:done, %{main: crash}), do: {:error, crash}
  defp judge(_other, %{main: {:crash, _, _, _} = crash}), do: {:error, crash}
  defp judge(:deadlock, state), do: {:error, %Lockstep.DeadlockError{processes: waiting(state)}}

  defp judge(:step_limit, state),
    do: {:error, %Lockstep.StepLimitError{limit: state.config.max_steps, busiest: busiest(state)}}

  defp judge(:time_limit, state), do: {:error, %Lockstep.TimeLimitError{limit: state.config.max_virtual_time}}
  defp judge({:diverged, choice}, _state), do: {:error, %Lockstep.ReplayError{choice: choice}}

  # Whatever it would still have done has been seen in other runs.
  defp judge(:abandoned, _state), do: :abandoned
  defp judge(:strange, state), do: {:error, %Lockstep.NondeterminismError{seed: state.config.seed, step: :choices}}

  defp judge(:violated, state), do: {:error, :ets.lookup_element(state.store, :violation, 2)}

  defp judge(:blocked, state) do
    [process | _] = waiting(state)
    {:error, %Lockstep.ProcessFailure{process: process, kind: :blocked, waiting_in: process.waiting_in}}
  end

  defp judge({:crashed, id}, state) do
    [{_, reason}] = :ets.lookup(state.store, {:crash, id})
    {:error, %Lockstep.ProcessFailure{process: process(state, id), kind: :crash, reason: reason}}
  end

  defp judge({:lost, id}, state) do
    reason = :ended_from_outside_the_simulation
    {:error, %Lockstep.ProcessFailure{process: process(state, id), kind: :crash, reason: reason}}
  end

  # Those that took most of the last steps of a recorded run.
  defp busiest(%{config: %{record: false}}), do: []

  defp busiest(state) do
    names = Names.build(processes(state.session))
    actors = for event <- state.session |> Native.events() |> Enum.take(-@last_steps), id = elem(event, 2), do: id
    busiest = actors |> Enum.frequencies() |> Enum.sort_by(fn {id, steps} -> {-steps, id} end) |> Enum.take(2)
    for {id, steps} <- busiest, steps > div(@last_steps, 10), do: names[id]
  end

  defp process(state, id), do: Enum.find(processes(state.session), &(&1.id == id))

  # The processes that wait for ever: where, and with what in their mailboxes.
  defp waiting(state) do
    known = Map.new(processes(state.session), &{&1.id, &1})
    for {id, real, false} <- Native.waiting(state.session), real, do: Map.merge(known[id], at(real, state.store))
  end

  defp at(real, store) do
    case Process.info(real, [:dictionary, :current_stacktrace]) do
      [dictionary: dictionary, current_stacktrace: stack] ->
        unread = Enum.map(Mailbox.messages_in(dictionary), &inspect/1)
        %{waiting_in: place(stack), place: Place.in_program(stack, store), unread: unread}

      nil ->
        %{waiting_in: nil, place: nil, unread: []}
    end
  end

  defp place(stack) do
    case Stack.clean(stack) do
      [frame | _] -> frame |> List.wrap() |> Exception.format_stacktrace() |> String.trim()
      [] -> nil
    end
  end
end
