defmodule Lockstep.Runner.Sweep do
  @moduledoc false
  # The loop over the seeds.
  #
  # A sweep runs without recording, which is what makes it fast. The seed that fails is run once more with recording;
  # that the two agree is checked every time, since everything shown of the failure comes from the second run.

  alias Lockstep.{Failure, Failures, NondeterminismError, Simulation, SometimesError, Summary, WatchdogError}
  alias Lockstep.Report.Output
  alias Lockstep.Runner.{Comparison, Location, Progress, Replay, Sometimes, TraceFile, Warning}

  defstruct [
    :fun,
    :options,
    :location,
    :progress,
    :started,
    :total,
    runs: 0,
    escapes: %{},
    sometimes: %{},
    steps: 0,
    virtual_ms: 0,
    hashes: MapSet.new()
  ]

  @doc "Runs `fun` once a seed, until one fails."
  @spec run((... -> term()), Lockstep.Options.t(), Location.t() | nil) ::
          {:ok, Summary.t()} | {:failed, Exception.t()}
  def run(fun, %{replay: path} = options, location) when path != nil, do: Replay.run(fun, options, location)

  def run(fun, options, location) do
    total = Enum.count(options.seeds)
    progress = Progress.start(total, fresh_line: location != nil and location.test != nil)

    sweep = %__MODULE__{
      fun: fun,
      options: options,
      location: location,
      progress: progress,
      started: System.monotonic_time(:millisecond),
      total: total,
      sometimes: Sometimes.declared(options.sometimes)
    }

    try do
      Enum.reduce_while(options.seeds, sweep, &step/2) |> finish()
    after
      Progress.stop(progress)
    end
  end

  defp finish({:failed, failure}), do: {:failed, failure}

  defp finish(%__MODULE__{} = sweep) do
    case Sometimes.unmet(sweep.sometimes, sweep.total) do
      [] -> {:ok, summary(sweep)}
      unmet -> {:failed, %SometimesError{unmet: unmet, summary: summary(sweep), location: sweep.location}}
    end
  end

  defp step(seed, sweep) do
    result = simulate(sweep, seed, record_all?(sweep))
    sweep = account(sweep, result)
    if sweep.total == 1 and result.outcome == :ok, do: Output.print(result.output)
    TraceFile.write!(sweep.options.trace, sweep.total > 1, seed, result.trace)

    case verdict(sweep, seed, result) do
      :ok -> {:cont, sweep}
      {error, recorded, difference} -> {:halt, {:failed, failure(sweep, seed, error, recorded, difference)}}
    end
  end

  # A single run that fails is going to be shown, so it is recorded at once.
  defp record_all?(%{options: options, total: total}) do
    options.trace != nil or options.check_determinism or total == 1
  end

  defp verdict(%{options: %{check_determinism: true}} = sweep, seed, result) do
    case Comparison.difference(seed, result, simulate(sweep, seed, true)) do
      nil -> with {:error, error} <- result.outcome, do: {error, result, nil}
      difference -> {difference, result, nil}
    end
  end

  defp verdict(_sweep, _seed, %{outcome: :ok}), do: :ok

  # To record the run of an endless loop again would only cost the time of the watchdog again.
  defp verdict(%{total: 1}, _seed, %{outcome: {:error, %WatchdogError{} = error}} = result), do: {error, result, nil}

  defp verdict(sweep, seed, %{outcome: {:error, error}} = result) do
    recorded = simulate(sweep, seed, true)

    if Comparison.same?(result, recorded) do
      {error_of(recorded, error), recorded, nil}
    else
      {error, recorded, difference(sweep, seed, recorded)}
    end
  end

  defp error_of(%{outcome: {:error, error}}, _error), do: error

  # The first run was not recorded, so a third one has to show where runs of this seed part.
  defp difference(sweep, seed, recorded) do
    Comparison.difference(seed, recorded, simulate(sweep, seed, true)) || %NondeterminismError{seed: seed}
  end

  defp simulate(%{fun: fun, options: options}, seed, record?) do
    Simulation.run(fun, Simulation.config(options, seed, record?))
  end

  defp account(sweep, result) do
    sweep = %{
      sweep
      | runs: sweep.runs + 1,
        steps: sweep.steps + result.steps,
        virtual_ms: sweep.virtual_ms + result.virtual_ms,
        hashes: MapSet.put(sweep.hashes, result.hash),
        escapes: escapes(sweep.escapes, result.escapes),
        sometimes: Sometimes.add(sweep.sometimes, result.sometimes)
    }

    if sweep.options.escapes == :warn, do: Warning.escapes(result.escapes)
    Progress.update(sweep.progress, sweep.runs, MapSet.size(sweep.hashes))
    sweep
  end

  defp escapes(escapes, []), do: escapes
  defp escapes(escapes, more), do: Map.merge(escapes, Map.new(more), fn _place, one, other -> one + other end)

  defp summary(sweep) do
    %Summary{
      runs: sweep.runs,
      total: sweep.total,
      steps: sweep.steps,
      distinct: MapSet.size(sweep.hashes),
      virtual_ms: sweep.virtual_ms,
      wall_ms: System.monotonic_time(:millisecond) - sweep.started,
      strategy: sweep.options.strategy,
      seeds: sweep.options.seeds,
      escapes: sweep.escapes,
      sometimes: Sometimes.met(sweep.sometimes)
    }
  end

  defp failure(sweep, seed, error, recorded, difference) do
    failure = %Failure{
      seed: seed,
      run: sweep.runs,
      strategy: sweep.options.strategy,
      error: error,
      result: recorded,
      summary: summary(sweep),
      location: sweep.location,
      nondeterminism: difference,
      replay: Location.replay_line(sweep.location, seed, strategy_to_set(sweep.options))
    }

    %{failure | file: Failures.store(failure, sweep.options)}
  end

  # What the replaying line has to say about the strategy. A stored choice log is in the source already.
  defp strategy_to_set(%{strategy: {:replay, _choices}}), do: nil
  defp strategy_to_set(%{strategy: :random} = options), do: if(:strategy in options.overridden, do: :random)
  defp strategy_to_set(%{strategy: strategy}), do: strategy
end
