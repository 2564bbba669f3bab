defmodule Lockstep.Runner.Finding do
  @moduledoc false
  # What is made of the run that failed: it is run once more with recording, made smaller, and stored.
  #
  # That the two runs agree is checked every time, since everything shown of the failure comes from the second.

  alias Lockstep.{Failure, Failures, NondeterminismError, Options, Shrink, Simulation, Summary, WatchdogError}
  alias Lockstep.Runner.{Comparison, Job, Location, Part, Strategies}

  @typedoc "What is wrong, the run in which it is to be seen, and how runs of the seed differ if they do."
  @type verdict :: {term(), Simulation.Result.t(), NondeterminismError.t() | nil}

  @doc "What a run that failed comes to."
  @spec verdict(Part.finding()) :: verdict()
  def verdict(%{difference: nil} = finding), do: judge(finding.job, finding.run, finding.result)
  def verdict(%{difference: difference} = finding), do: {difference, finding.result, nil}

  # It is recorded, and has been repeated.
  defp judge(%{options: %{check_determinism: true}}, _run, %{outcome: {:error, error}} = result),
    do: {error, result, nil}

  # To record the run of an endless loop again would only cost the time of the watchdog again.
  defp judge(%{total: 1}, _run, %{outcome: {:error, %WatchdogError{} = error}} = result), do: {error, result, nil}

  defp judge(job, run, %{outcome: {:error, error}} = result) do
    recorded = Job.simulate(job, run, true)

    if Comparison.same?(result, recorded) do
      {error_of(recorded, error), recorded, nil}
    else
      {error, recorded, difference(job, run, recorded)}
    end
  end

  defp error_of(%{outcome: {:error, error}}, _error), do: error

  # The first run was not recorded, so a third one has to show where runs of this seed part.
  defp difference(job, run, recorded) do
    Comparison.difference(run.seed, recorded, Job.simulate(job, run, true)) || %NondeterminismError{seed: run.seed}
  end

  @doc "The failure that is shown and stored."
  @spec failure(Part.finding(), verdict(), Summary.t(), Location.t() | nil) :: Failure.t()
  def failure(%{job: job, run: run}, {error, recorded, difference}, summary, location) do
    failure = %Failure{
      seed: run.seed,
      run: summary.runs,
      strategy: run.asked,
      chosen: run.chosen,
      error: error,
      result: recorded,
      shrunk: if(difference == nil, do: shrink(job, run, recorded)),
      summary: %{summary | found_by: found_by(run)},
      location: location,
      nondeterminism: difference,
      replay: Location.replay_line(location, run.seed, strategy_to_set(run, job.options)),
      format: job.options.format
    }

    %{failure | file: Failures.store(failure, job.options)}
  end

  defp found_by(%{chosen: {:replay, _choices}, asked: asked}), do: asked
  defp found_by(run), do: run.chosen

  # Whoever replays a stored log wants that run and no other.
  defp shrink(%{options: %{shrink: false}}, _run, _recorded), do: nil
  defp shrink(_job, %{asked: {:replay, _choices}}, _recorded), do: nil

  defp shrink(job, run, recorded) do
    config = Simulation.config(job.options, run.seed, true)

    case Shrink.run(job.fun, config, recorded, replays: job.options.shrink) do
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
