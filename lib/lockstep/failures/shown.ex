defmodule Lockstep.Failures.Shown do
  @moduledoc false
  # Stored failures and traces, to be shown without running anything.

  alias Lockstep.{Failure, Shrink, Summary, Trace}
  alias Lockstep.Failures.{Stored, StoredError}
  alias Lockstep.Report.{Names, Time, Words}
  alias Lockstep.Simulation.{Events, Result}

  @doc "The failure as it was found, as far as it is stored; without a trace it has no events."
  @spec failure(Stored.t(), Trace.t() | nil, Path.t()) :: Failure.t()
  def failure(%Stored{} = stored, trace, path) do
    error = struct!(StoredError, stored.error)
    result = result(stored, trace, error)

    failure = %Failure{
      seed: stored.seed,
      run: stored.run,
      strategy: stored.strategy,
      error: error,
      result: result,
      summary: %Summary{runs: stored.run, total: stored.total, strategy: stored.strategy, seeds: [stored.seed]},
      location: stored.test && stored.test |> Map.take([:file, :line, :module]) |> Map.put(:test, stored.test.name),
      file: path,
      replay: stored.replay
    }

    with_shrunk(failure, shrunk(stored.shrunk, result))
  end

  defp with_shrunk(failure, nil), do: failure
  defp with_shrunk(failure, shrunk), do: %{failure | shrunk: shrunk}

  # Where the two processes were is not stored.
  defp shrunk(nil, _result), do: nil

  defp shrunk(stored, result) do
    %Shrink{
      choices: result.choices,
      result: result,
      before: stored.before,
      after: stored.after,
      replays: stored.replays,
      pair: pair(stored.pair, result.events)
    }
  end

  defp pair(nil, _events), do: nil

  defp pair(%{earlier: earlier, later: later}, events) do
    with %{} = one <- Enum.find(events, &(&1.step == earlier)),
         %{} = other <- Enum.find(events, &(&1.step == later)),
         do: {one, other}
  end

  defp result(stored, trace, error) do
    %Result{
      outcome: {:error, error},
      steps: stored.steps,
      virtual_ms: stored.virtual_ms,
      hash: trace && trace.hash,
      choices: stored.choices,
      trace: stored.trace || <<>>,
      events: if(trace, do: Events.of_trace(trace), else: []),
      processes: if(trace, do: Events.processes_of(trace), else: [])
    }
  end

  @doc "Every event of a trace, one a line: step, time, process, what happened, where in the program."
  @spec lines(Trace.t()) :: [String.t()]
  def lines(trace) do
    names = Names.build(Events.processes_of(trace))
    rows = for event <- Events.of_trace(trace), do: row(event, names)

    widths =
      for column <- 0..2, do: rows |> Enum.map(&(&1 |> elem(column) |> String.length())) |> Enum.max(fn -> 0 end)

    Enum.map(rows, &line(&1, widths))
  end

  defp row(event, names) do
    text = event.text |> Words.with_names(names) |> String.replace("\n", " ")
    {Integer.to_string(event.step), Time.ms(event.time) <> " ms", Names.actor(event, names), text, place(event.place)}
  end

  defp place(nil), do: ""
  defp place({file, line}), do: "  (#{file}:#{line})"

  defp line({step, time, actor, text, place}, [step_width, time_width, actor_width]) do
    "#{String.pad_leading(step, step_width)}  #{String.pad_leading(time, time_width)}  " <>
      "#{String.pad_trailing(actor, actor_width)}  #{text}#{place}"
  end
end
