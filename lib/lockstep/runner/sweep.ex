defmodule Lockstep.Runner.Sweep do
  @moduledoc false
  # All runs of one call: those of the seeds, by one worker or several, or those of a search of all interleavings.

  alias Lockstep.{SometimesError, Summary}
  alias Lockstep.Report.Output

  alias Lockstep.Runner.{
    Account,
    Coverage,
    Exhaustive,
    Finding,
    Hosts,
    Job,
    Location,
    Part,
    Progress,
    Replay,
    Sometimes
  }

  alias Lockstep.Runner.{Team, TraceFile, Warning}

  @enforce_keys [:job, :location, :progress, :started, :total, :account]
  defstruct @enforce_keys ++ [:exhausted, abandoned: 0]

  @type t :: %__MODULE__{
          job: Job.t(),
          location: Location.t() | nil,
          progress: Progress.t(),
          started: integer(),
          total: non_neg_integer(),
          account: Account.t(),
          exhausted: :all | :limit | nil,
          abandoned: non_neg_integer()
        }

  @doc "Runs `fun` once a seed, until one fails."
  @spec run((... -> term()), Lockstep.Options.t(), Location.t() | nil) ::
          {:ok, Summary.t()} | {:failed, Exception.t()}
  def run(fun, %{shrink_file: path} = options, location) when path != nil, do: Replay.shrink(fun, options, location)
  def run(fun, %{replay: path} = options, location) when path != nil, do: Replay.run(fun, options, location)

  def run(fun, options, location) do
    sweep = start(fun, options, location)

    try do
      if(Exhaustive.asked?(options.strategy), do: Exhaustive.search(sweep), else: seeds(sweep)) |> finish()
    after
      Progress.stop(sweep.progress)
    end
  end

  defp start(fun, options, location) do
    total = if Exhaustive.asked?(options.strategy), do: options.max_runs, else: Enum.count(options.seeds)

    %__MODULE__{
      job: %Job{fun: fun, options: options, total: total},
      location: location,
      progress: Progress.start(total, fresh_line: location != nil and location.test != nil),
      started: System.monotonic_time(:millisecond),
      total: total,
      account: Account.new(options.sometimes)
    }
  end

  defp seeds(%{job: job} = sweep) do
    if in_order?(job) do
      job |> Part.run(job.options.seeds, sweep.account, &observe(sweep, &1, &2, &3)) |> conclude(sweep)
    else
      with {:ok, seats} <- Hosts.seats(job) do
        job |> Team.run(sweep.account, seats, &observe(sweep, &1)) |> conclude(sweep)
      end
    end
  end

  # Traces are written in the order of the seeds, those after the first failure not at all. What a single run prints is
  # shown.
  defp in_order?(job), do: job.total < 2 or job.options.trace != nil

  defp conclude({_job, account, nil}, sweep), do: %{sweep | account: account}

  defp conclude({_job, account, finding}, sweep) do
    Progress.failed(sweep.progress)

    {:failed,
     Finding.failure(finding, Finding.verdict(finding), summary(%{sweep | account: account}), sweep.location)}
  end

  # Of runs in order each is told, of those of a team all that have been made so far.
  defp observe(sweep, run, result, account) do
    if sweep.total == 1 and result.outcome == :ok, do: Output.print(result.output)
    TraceFile.write!(sweep.job.options.trace, sweep.total > 1, run.seed, result.trace)
    if result.escapes != [], do: warn(sweep, result.escapes)
    progress(sweep, account)
    true
  end

  defp observe(sweep, account) do
    warn(sweep, account.escapes)
    progress(sweep, account)
  end

  defp progress(sweep, account),
    do: Progress.update(sweep.progress, account.runs, Coverage.distinct(account.coverage))

  defp warn(%{job: %{options: %{escapes: :warn}}}, escapes), do: Warning.escapes(escapes)
  defp warn(_sweep, _escapes), do: :ok

  defp finish({:failed, failure}), do: {:failed, failure}

  defp finish(%__MODULE__{} = sweep) do
    case Sometimes.unmet(sweep.account.sometimes, if(sweep.exhausted, do: sweep.account.runs, else: sweep.total)) do
      [] -> {:ok, summary(sweep)}
      unmet -> {:failed, %SometimesError{unmet: unmet, summary: summary(sweep), location: sweep.location}}
    end
  end

  @doc "The summary of what has been done so far."
  @spec summary(t()) :: Summary.t()
  def summary(sweep) do
    %{
      Account.summary(sweep.account)
      | total: sweep.total,
        exhausted: sweep.exhausted,
        abandoned: sweep.abandoned,
        wall_ms: System.monotonic_time(:millisecond) - sweep.started,
        strategy: sweep.job.options.strategy,
        seeds: sweep.job.options.seeds
    }
  end

  @doc "Adds a run to the account, and tells of it."
  @spec add(t(), Job.run(), Lockstep.Simulation.Result.t()) :: t()
  def add(sweep, run, result) do
    account = Account.add(sweep.account, run.chosen, result)
    observe(sweep, run, result, account)
    %{sweep | account: account}
  end
end
