defmodule Lockstep.Runner.Sweep do
  @moduledoc false
  # The loop over the seeds.
  #
  # A sweep runs without recording, which is what makes it fast. The seed that fails is run once more with recording;
  # that the two agree is checked every time, since everything shown of the failure comes from the second run.

  alias Lockstep.{
    Failure,
    Failures,
    Native,
    NondeterminismError,
    Options,
    Shrink,
    Simulation,
    SometimesError,
    Summary
  }

  alias Lockstep.WatchdogError
  alias Lockstep.Report.Output
  alias Lockstep.Runner.{Comparison, Coverage, Exhaustive, Location, Progress, Replay, Sometimes}
  alias Lockstep.Runner.{Strategies, TraceFile, Warning}

  defstruct [
    :fun,
    :options,
    :location,
    :progress,
    :started,
    :total,
    :profile,
    :exhausted,
    runs: 0,
    abandoned: 0,
    strategies: %{},
    escapes: %{},
    sometimes: %{},
    steps: 0,
    virtual_ms: 0,
    coverage: %Coverage{}
  ]

  @doc "Runs `fun` once a seed, until one fails."
  @spec run((... -> term()), Lockstep.Options.t(), Location.t() | nil) ::
          {:ok, Summary.t()} | {:failed, Exception.t()}
  def run(fun, %{shrink_file: path} = options, location) when path != nil, do: Replay.shrink(fun, options, location)
  def run(fun, %{replay: path} = options, location) when path != nil, do: Replay.run(fun, options, location)

  def run(fun, options, location) do
    exhaustive? = Exhaustive.asked?(options.strategy)
    total = if exhaustive?, do: options.max_runs, else: Enum.count(options.seeds)
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
      if(exhaustive?, do: explore(sweep), else: Enum.reduce_while(options.seeds, sweep, &step/2)) |> finish()
    after
      Progress.stop(progress)
    end
  end

  defp finish({:failed, failure}), do: {:failed, failure}

  defp finish(%__MODULE__{} = sweep) do
    case Sometimes.unmet(sweep.sometimes, if(sweep.exhausted, do: sweep.runs, else: sweep.total)) do
      [] -> {:ok, summary(sweep)}
      unmet -> {:failed, %SometimesError{unmet: unmet, summary: summary(sweep), location: sweep.location}}
    end
  end

  # There are no seeds: the runs are those that the explorer has not seen. What the program draws is always the same.
  defp explore(sweep) do
    explorer = Native.explorer(Exhaustive.bound(sweep.options.strategy))
    run = %{seed: Enum.at(sweep.options.seeds, 0), asked: sweep.options.strategy, chosen: {:explore, explorer}}
    explore(sweep, run, explorer)
  end

  defp explore(sweep, run, explorer) do
    case simulate(sweep, run, false) do
      %{outcome: :abandoned} -> go_on(%{sweep | abandoned: sweep.abandoned + 1}, run, explorer)
      %{outcome: :ok} = result -> sweep |> account(%{run | chosen: run.asked}, result) |> go_on(run, explorer)
      failed -> sweep |> account(%{run | chosen: run.asked}, failed) |> unexplored(run, failed)
    end
  end

  defp go_on(sweep, run, explorer) do
    case Native.advance(explorer) do
      {false, _complete, _abandoned} -> %{sweep | exhausted: :all, total: sweep.runs}
      {true, complete, abandoned} when complete + abandoned >= sweep.total -> give_up(sweep)
      {true, _complete, _abandoned} -> explore(sweep, run, explorer)
    end
  end

  # A test that passes shows no summary, and somebody may take it for a proof.
  defp give_up(sweep) do
    sweep = %{sweep | exhausted: :limit}
    Warning.incomplete(summary(sweep))
    sweep
  end

  # Until the explorer is told to go on it repeats its last run.
  defp unexplored(sweep, run, result) do
    {error, recorded, difference} = verdict(sweep, run, result)
    replay = {:replay, Exhaustive.shortened(recorded.choices)}
    {:failed, failure(sweep, %{run | chosen: replay}, error, recorded, difference)}
  end

  defp step(seed, sweep) do
    run = %{seed: seed, asked: sweep.options.strategy, chosen: Strategies.chosen(sweep.options.strategy, seed)}

    with {:ok, sweep} <- profile(sweep, Strategies.profile?(run.chosen)) do
      result = simulate(sweep, run, record_all?(sweep))
      sweep = account(sweep, run, result)
      if sweep.total == 1 and result.outcome == :ok, do: Output.print(result.output)
      sweep |> traced(run, result) |> judge(run, result)
    end
  end

  # What a strategy knows of the program is always from the undisturbed run of seed 0, so that a seed alone determines its
  # run. That run is made when it is first needed, and counts only if it fails.
  defp profile(%{profile: nil} = sweep, true) do
    run = %{seed: 0, asked: :fifo, chosen: :fifo}
    result = simulate(sweep, %{run | chosen: :profile}, record_all?(sweep))

    case result.outcome do
      :ok -> {:ok, %{sweep | profile: result.profile}}
      _failed -> sweep |> account(run, result) |> traced(run, result) |> judge(run, result)
    end
  end

  defp profile(sweep, _needed?), do: {:ok, sweep}

  defp traced(sweep, run, result) do
    TraceFile.write!(sweep.options.trace, sweep.total > 1, run.seed, result.trace)
    sweep
  end

  defp judge(sweep, run, result) do
    case verdict(sweep, run, result) do
      :ok -> {:cont, sweep}
      {error, recorded, difference} -> {:halt, {:failed, failure(sweep, run, error, recorded, difference)}}
    end
  end

  # A single run that fails is going to be shown, so it is recorded at once.
  defp record_all?(%{options: options, total: total}) do
    options.trace != nil or options.check_determinism or total == 1
  end

  defp verdict(%{options: %{check_determinism: true}} = sweep, run, result) do
    case Comparison.difference(run.seed, result, simulate(sweep, run, true)) do
      nil -> with {:error, error} <- result.outcome, do: {error, result, nil}
      difference -> {difference, result, nil}
    end
  end

  defp verdict(_sweep, _run, %{outcome: :ok}), do: :ok

  # To record the run of an endless loop again would only cost the time of the watchdog again.
  defp verdict(%{total: 1}, _run, %{outcome: {:error, %WatchdogError{} = error}} = result), do: {error, result, nil}

  defp verdict(sweep, run, %{outcome: {:error, error}} = result) do
    recorded = simulate(sweep, run, true)

    if Comparison.same?(result, recorded) do
      {error_of(recorded, error), recorded, nil}
    else
      {error, recorded, difference(sweep, run, recorded)}
    end
  end

  defp error_of(%{outcome: {:error, error}}, _error), do: error

  # The first run was not recorded, so a third one has to show where runs of this seed part.
  defp difference(sweep, run, recorded) do
    Comparison.difference(run.seed, recorded, simulate(sweep, run, true)) || %NondeterminismError{seed: run.seed}
  end

  defp simulate(%{fun: fun, options: options} = sweep, run, record?) do
    profile = if Strategies.profile?(run.chosen), do: sweep.profile
    config = Simulation.config(%{options | strategy: run.chosen}, run.seed, record?)
    Simulation.run(fun, Map.put(config, :profile, profile))
  end

  defp account(sweep, run, result) do
    sweep = %{
      sweep
      | runs: sweep.runs + 1,
        strategies: Map.update(sweep.strategies, run.chosen, 1, &(&1 + 1)),
        steps: sweep.steps + result.steps,
        virtual_ms: sweep.virtual_ms + result.virtual_ms,
        coverage: Coverage.add(sweep.coverage, result.interleaving),
        escapes: escapes(sweep.escapes, result.escapes),
        sometimes: Sometimes.add(sweep.sometimes, result.sometimes)
    }

    if sweep.options.escapes == :warn, do: Warning.escapes(result.escapes)
    Progress.update(sweep.progress, sweep.runs, Coverage.distinct(sweep.coverage))
    sweep
  end

  defp escapes(escapes, []), do: escapes
  defp escapes(escapes, more), do: Map.merge(escapes, Map.new(more), fn _place, one, other -> one + other end)

  defp summary(sweep) do
    %Summary{
      runs: sweep.runs,
      total: sweep.total,
      exhausted: sweep.exhausted,
      abandoned: sweep.abandoned,
      steps: sweep.steps,
      distinct: Coverage.distinct(sweep.coverage),
      singletons: sweep.coverage.singletons,
      virtual_ms: sweep.virtual_ms,
      wall_ms: System.monotonic_time(:millisecond) - sweep.started,
      strategy: sweep.options.strategy,
      seeds: sweep.options.seeds,
      strategies: sweep.strategies,
      escapes: sweep.escapes,
      sometimes: Sometimes.met(sweep.sometimes)
    }
  end

  defp failure(sweep, run, error, recorded, difference) do
    failure = %Failure{
      seed: run.seed,
      run: sweep.runs,
      strategy: run.asked,
      chosen: run.chosen,
      error: error,
      result: recorded,
      shrunk: if(difference == nil, do: shrink(sweep, run, recorded)),
      summary: %{summary(sweep) | found_by: found_by(run)},
      location: sweep.location,
      nondeterminism: difference,
      replay: Location.replay_line(sweep.location, run.seed, strategy_to_set(run, sweep.options)),
      format: sweep.options.format
    }

    %{failure | file: Failures.store(failure, sweep.options)}
  end

  defp found_by(%{chosen: {:replay, _choices}, asked: asked}), do: asked
  defp found_by(run), do: run.chosen

  # Whoever replays a stored log wants that run and no other.
  defp shrink(%{options: %{shrink: false}}, _run, _recorded), do: nil
  defp shrink(_sweep, %{asked: {:replay, _choices}}, _recorded), do: nil

  defp shrink(sweep, run, recorded) do
    config = Simulation.config(sweep.options, run.seed, true)

    case Shrink.run(sweep.fun, config, recorded, replays: sweep.options.shrink) do
      %Shrink{} = shrunk -> shrunk
      {:error, _reason} -> nil
    end
  end

  # What the replaying line has to say about the strategy. A stored choice log is in the source already, and so is
  # a strategy written in Elixir.
  defp strategy_to_set(%{asked: {:replay, _choices}}, _options), do: nil
  defp strategy_to_set(%{chosen: {:replay, _choices} = replay}, _options), do: replay

  defp strategy_to_set(%{asked: strategy}, options) do
    if strategy != Options.default(:strategy) or :strategy in options.overridden,
      do: unless(Strategies.custom(strategy), do: strategy)
  end
end
