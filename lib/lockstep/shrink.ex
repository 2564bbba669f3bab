defmodule Lockstep.Shrink do
  @moduledoc """
  A smaller run that fails the same way: fewer faults and milder ones, fewer stalls and shorter ones, lower latencies,
  fewer context switches, fewer steps, in this order.

  `Lockstep.Failure` has one in its field `:shrunk`. Fields:

    * `:choices` - the choice log of the smaller run: `strategy: {:replay, choices}` replays it, with the same seed
    * `:result` - the smaller run, recorded
    * `:pair` - the two events of it whose order decides, `{earlier, later}`, or `nil`; with them the other way round the
      run passes
    * `:passing` - the choice log of the run with the two the other way round, or `nil`
    * `:no_pair` - why there is no pair, as text, or `nil`
    * `:stacks` - where the processes of the pair were, by the number of the step; for a delivery and a timer, where that
      was sent or set
    * `:replays` - how many runs that took
    * `:before`, `:after` - what the two runs have of `:faults`, `:stalls`, `:switches` (a process that could go on was left
      for another) and `:steps`
  """

  alias Lockstep.Report.Stack
  alias Lockstep.Shrink.{Counts, Pair, Plan, Search, Signature}
  alias Lockstep.Simulation

  @replays 500
  # Steps of all replays together: a few seconds.
  @steps 2_000_000
  # The part of the budget that is kept for the pair.
  @for_pair 4
  # Events that somebody else has caused, and those of which that cannot be told.
  @causes %{deliver: :send, fire: :start_timer}
  @befalling [:down, :exit_signal, :spawned, :linked, :watched, :unlinked, :led]
  @not_of_the_run [Lockstep.NondeterminismError, Lockstep.ReplayError, Lockstep.WatchdogError]

  @enforce_keys [:choices, :result, :before, :after]
  defstruct @enforce_keys ++ [:pair, :passing, :no_pair, stacks: %{}, replays: 0]

  @type event :: Simulation.Result.event()
  @type t :: %__MODULE__{
          choices: [non_neg_integer()],
          result: Simulation.Result.t(),
          before: Counts.t(),
          after: Counts.t(),
          pair: {event(), event()} | nil,
          passing: [non_neg_integer()] | nil,
          no_pair: String.t() | nil,
          stacks: %{optional(pos_integer()) => Exception.stacktrace()},
          replays: non_neg_integer()
        }

  @doc """
  Shrinks the run of `fun` with `config` that came out as `result`, which has to be recorded and to have failed.

  Options:

    * `:replays` - how many runs that may take (default: #{@replays})
    * `:steps` - how many steps they may have together (default: #{@steps})

  The same failure gives the same smaller run, on any machine. An error says why a run cannot be shrunk: it has not
  failed (`:passed`), it fails by the wall clock or because it could not be replayed (`:no_failure_of_the_run`), or it
  goes another way when it is repeated (`:not_repeatable`).

  ## Example

      {:failed, failure} = Lockstep.Runner.explore(&MyApp.Scenario.transfer/0)
      failure.shrunk.after
      #=> %{faults: 0, stalls: 0, switches: 1, steps: 38}
  """
  @spec run((... -> term()), Simulation.config(), Simulation.Result.t(), keyword()) :: t() | {:error, atom()}
  def run(fun, config, result, opts \\ []) do
    case result.outcome do
      :ok -> {:error, :passed}
      {:error, %module{}} when module in @not_of_the_run -> {:error, :no_failure_of_the_run}
      _ -> fun |> search(config, result, opts) |> again(result, opts)
    end
  end

  # A part of the budget is kept for the pair.
  defp search(fun, config, result, opts) do
    {replays, steps} = budget(opts)

    %Search{
      fun: fun,
      config: config,
      signature: Signature.of(result),
      replays_left: replays - div(replays, @for_pair),
      steps_left: steps - div(steps, @for_pair)
    }
  end

  defp budget(opts), do: {Keyword.get(opts, :replays, @replays), Keyword.get(opts, :steps, @steps)}

  # The run once more, to learn who did what in it.
  defp again(search, result, opts) do
    {again, search} = Search.run(search, {:along, result.choices})

    if again.hash == result.hash and Signature.of(again) == search.signature,
      do: shrink(search, again, result, opts),
      else: {:error, :not_repeatable}
  end

  defp shrink(search, again, result, opts) do
    {replays, steps} = budget(opts)
    search = Plan.shrink(%{search | best: Search.measured(Plan.done(again), again)})
    {recorded, search} = Search.record(search, {:guided, search.best.plan})
    search = Search.extend(search, div(replays, @for_pair), div(steps, @for_pair))
    {found, search} = Pair.find(search, recorded)
    {final, search} = Search.record(search, {:replay, recorded.choices}, whose_stacks(found, recorded))

    if final.hash == recorded.hash,
      do: shrunk(search, final, found, {result, Search.switches(again)}),
      else: {:error, :not_repeatable}
  end

  defp whose_stacks({:error, _reason}, _run), do: []

  defp whose_stacks({:ok, %{steps: {earlier, later}}}, run) do
    for step <- [earlier, later],
        %{step: step, process: process} <- [cause(event(run, step), run)],
        process,
        do: {step, process}
  end

  # The event that a step has led to.
  defp event(run, step), do: Enum.find(run.events, &(&1.step >= step))

  # Who is sent something, or has set a timer, is doing something else when it arrives.
  defp cause(%{kind: kind} = event, run) when is_map_key(@causes, kind) do
    Enum.find(run.events, &(&1.kind == @causes[kind] and &1.object == event.object))
  end

  defp cause(%{kind: kind}, _run) when kind in @befalling, do: nil
  defp cause(event, _run), do: event

  defp shrunk(search, final, found, {before, switches}) do
    %__MODULE__{
      choices: final.choices,
      result: final,
      before: Counts.of(before, switches),
      after: Counts.of(final, Search.switches(search.best.result)),
      replays: search.replays
    }
    |> with_pair(found)
  end

  defp with_pair(shrunk, {:error, reason}), do: %{shrunk | no_pair: reason}

  defp with_pair(shrunk, {:ok, %{steps: {earlier, later}, passing: passing}}) do
    pair = {event(shrunk.result, earlier), event(shrunk.result, later)}
    %{shrunk | pair: pair, passing: passing, stacks: stacks(pair, shrunk.result)}
  end

  defp stacks({earlier, later}, run) do
    for event <- [earlier, later],
        %{step: step} <- [cause(event, run)],
        {:ok, stack} <- [Map.fetch(run.stacks, step)],
        into: %{},
        do: {event.step, Stack.prune(stack)}
  end
end
