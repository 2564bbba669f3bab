defmodule Lockstep.Runner.Exhaustive do
  @moduledoc false
  # The strategies that run all schedules.

  alias Lockstep.{Failure, Native, OptionError}
  alias Lockstep.Report.Time
  alias Lockstep.Runner.{Coverage, Finding, Job, Progress, Sweep, Warning}

  @doc "Whether a strategy is one of them."
  @spec asked?(term()) :: boolean()
  def asked?(:exhaustive), do: true
  def asked?({:exhaustive, _bound}), do: true
  def asked?(_strategy), do: false

  @doc "What the core is told of the strategy."
  @spec bound(:exhaustive | {:exhaustive, keyword()}) :: Native.bound()
  def bound({:exhaustive, [{kind, most}]}), do: {kind, most}
  def bound(_unbounded), do: :interleavings

  @doc """
  Makes the runs that are asked for, until one fails.

  There are no seeds: the runs are those that the explorer has not seen. What the program draws is always the same. Each
  run tells the explorer what the next one has to be, so they are made one after the other.
  """
  @spec search(Sweep.t()) :: Sweep.t() | {:failed, Failure.t()}
  def search(%{job: %{options: options}} = sweep) do
    explorer = Native.explorer(bound(options.strategy))
    run = %{seed: Enum.at(options.seeds, 0), asked: options.strategy, chosen: {:explore, explorer}}
    explore(%{sweep | account: %{sweep.account | coverage: Coverage.exact()}}, run, explorer)
  end

  defp explore(sweep, run, explorer) do
    case Job.simulate(sweep.job, run, false) do
      %{outcome: :abandoned} -> go_on(%{sweep | abandoned: sweep.abandoned + 1}, run, explorer)
      %{outcome: :ok} = result -> sweep |> Sweep.add(%{run | chosen: run.asked}, result) |> go_on(run, explorer)
      failed -> sweep |> Sweep.add(%{run | chosen: run.asked}, failed) |> unexplored(run, failed)
    end
  end

  defp go_on(sweep, run, explorer) do
    case Native.advance(explorer) do
      {false, _complete, _abandoned} -> %{sweep | exhausted: :all, total: sweep.account.runs}
      {true, complete, abandoned} when complete + abandoned >= sweep.total -> give_up(sweep)
      {true, _complete, _abandoned} -> explore(sweep, run, explorer)
    end
  end

  # A test that passes shows no summary, and somebody may take it for a proof.
  defp give_up(sweep) do
    sweep = %{sweep | exhausted: :limit}
    Warning.incomplete(Sweep.summary(sweep))
    sweep
  end

  # Until the explorer is told to go on it repeats its last run.
  defp unexplored(sweep, run, result) do
    finding = %{job: sweep.job, run: run, result: result, difference: nil}
    Progress.failed(sweep.progress)
    {_error, recorded, _difference} = verdict = Finding.verdict(finding)
    replay = {:replay, shortened(recorded.choices)}
    {:failed, Finding.failure(put_in(finding.run.chosen, replay), verdict, Sweep.summary(sweep), sweep.location)}
  end

  @doc "Checks the strategy as it is written in the options."
  @spec cast(term()) :: {:ok, term()} | {:error, String.t()}
  def cast(:exhaustive), do: {:ok, :exhaustive}
  def cast({:exhaustive, []}), do: {:ok, :exhaustive}

  def cast({:exhaustive, [{kind, most}]} = bounded)
      when kind in [:preemptions, :delays] and most in 0..0xFFFF,
      do: {:ok, bounded}

  def cast(_strategy),
    do: {:error, "the bound of :exhaustive is one of {:exhaustive, preemptions: 2} and {:exhaustive, delays: 2}"}

  @doc "Checks that nothing is asked for besides that only seeds can give."
  @spec check(map(), String.t() | nil) :: {:ok, map()} | {:error, OptionError.t()}
  def check(options, source) do
    case asked?(options.strategy) && Enum.find_value(refused(), &given(options, &1)) do
      {option, value, expected} ->
        {:error, %OptionError{option: option, value: value, expected: expected, source: source}}

      _none ->
        {:ok, options}
    end
  end

  defp refused do
    [
      faults:
        {[], "faults are drawn from seeds, and strategy: :exhaustive has none; inject them in the function itself"},
      shard: {nil, "strategy: :exhaustive has no seeds to share out"},
      trace: {nil, "strategy: :exhaustive records only a run that fails; replay that with a trace"},
      check_determinism:
        {false, "strategy: :exhaustive repeats the beginning of each run and notices when it differs"}
    ]
  end

  defp given(options, {name, {none, expected}}) do
    if options[name] != none and name not in options.overridden, do: {name, options[name], expected}
  end

  @doc "A choice log without its end, which a replay adds: there nothing is disturbed."
  @spec shortened([non_neg_integer()]) :: [non_neg_integer()]
  def shortened(choices), do: choices |> Enum.reverse() |> Enum.drop_while(&(&1 == 0)) |> Enum.reverse()

  @doc "How far it has got, for the summary."
  @spec describe(Lockstep.Summary.t()) :: String.t()
  def describe(%{exhausted: :all, strategy: :exhaustive} = summary), do: "all #{interleavings(summary)} explored"
  def describe(%{exhausted: :all} = summary), do: "all #{schedules(summary)} run, #{interleavings(summary)}"

  def describe(%{exhausted: :limit, strategy: :exhaustive} = summary),
    do: "not all interleavings explored: #{Time.digits(summary.runs)}, then max_runs: ended the search"

  def describe(%{exhausted: :limit} = summary),
    do: "not all of the #{bounds(summary)} run: #{Time.digits(summary.runs)}, then max_runs: ended the search"

  def describe(summary), do: "#{interleavings(summary)} explored, the last of which fails"

  defp interleavings(summary), do: Time.count(summary.distinct, "interleaving")
  defp schedules(summary), do: "#{Time.count(summary.runs, "schedule")} #{most(summary)}"
  defp bounds(summary), do: "schedules #{most(summary)}"

  defp most(%{strategy: {:exhaustive, [{kind, most}]}}),
    do: "with at most #{Time.count(most, kind |> Atom.to_string() |> String.trim_trailing("s"))}"

  @doc "How many runs showed nothing new, if any."
  @spec describe_abandoned(Lockstep.Summary.t()) :: String.t()
  def describe_abandoned(%{abandoned: 0}), do: ""

  def describe_abandoned(summary),
    do: " (#{Time.count(summary.abandoned, "run")} given up that would have shown no other)"
end
