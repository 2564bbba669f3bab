defmodule Lockstep.Shrink.Search do
  @moduledoc false
  # The replays of a shrink: how many are left, the best run so far, and what is known already.
  #
  # A plan is a list of deeds (`Lockstep.Native.deed/0` without the step): who goes on how far, who is held back, how long
  # messages take, which faults happen. What it says nothing about goes undisturbed.

  alias Lockstep.Shrink.Signature
  alias Lockstep.Simulation

  # A candidate that takes longer than this is no smaller run.
  @longer 2
  @some_steps 1_000

  @enforce_keys [:fun, :config, :signature, :replays_left, :steps_left]
  defstruct @enforce_keys ++ [:best, replays: 0, known: %{}]

  @type plan :: [{:act | :stall | :latency | :fault, non_neg_integer(), non_neg_integer(), non_neg_integer()}]
  @typedoc "How much a run is disturbed: smaller is better, from the first to the last."
  @type cost :: tuple()
  @type run :: %{plan: plan(), cost: cost(), result: Simulation.Result.t()}
  @type t :: %__MODULE__{
          fun: (... -> term()),
          config: Simulation.config(),
          signature: Signature.t(),
          replays_left: non_neg_integer(),
          steps_left: integer(),
          best: run() | nil,
          replays: non_neg_integer(),
          known: %{binary() => :same | :other | :pass}
        }

  @doc "Whether there is something left of the budget."
  @spec open?(t()) :: boolean()
  def open?(search), do: search.replays_left > 0 and search.steps_left > 0

  @doc "Adds to the budget."
  @spec extend(t(), non_neg_integer(), non_neg_integer()) :: t()
  def extend(search, replays, steps) do
    %{search | replays_left: search.replays_left + replays, steps_left: search.steps_left + steps}
  end

  @doc "Runs `strategy` once, within the budget."
  @spec run(t(), term()) :: {Simulation.Result.t(), t()}
  def run(search, strategy) do
    config = %{search.config | strategy: strategy, record: false, max_steps: max_steps(search)}
    result = Simulation.run(search.fun, config)

    search = %{
      search
      | replays: search.replays + 1,
        replays_left: search.replays_left - 1,
        steps_left: search.steps_left - result.steps
    }

    {result, search}
  end

  @doc "As `run/2`, with recording: the events, the choices, and each deed of its own."
  @spec record(t(), term(), [{pos_integer(), non_neg_integer()}]) :: {Simulation.Result.t(), t()}
  def record(search, strategy, stacks \\ []) do
    config = Map.put(%{search.config | strategy: strategy, record: true}, :stacks, stacks)

    {Simulation.run(search.fun, config),
     %{search | replays: search.replays + 1, replays_left: search.replays_left - 1}}
  end

  defp max_steps(%{best: nil, config: config}), do: config.max_steps
  defp max_steps(%{signature: Lockstep.StepLimitError, config: config}), do: config.max_steps
  defp max_steps(%{best: best, config: config}), do: min(config.max_steps, best.result.steps * @longer + @some_steps)

  @doc "Tries a plan: takes it for the best if it fails the same way and is smaller. Answers whether it did."
  @spec try(t(), plan()) :: {boolean(), t()}
  def try(search, plan) do
    case attempt(search, plan) do
      {{:same, run}, search} ->
        if smaller?(run, search.best), do: {true, %{search | best: run}}, else: {false, search}

      {_other, search} ->
        {false, search}
    end
  end

  @doc "Runs a plan and says how that ended: the same failure, with the run; another; or none."
  @spec attempt(t(), plan()) :: {{:same, run()} | :same | :other | :pass | :unknown, t()}
  def attempt(search, plan) do
    key = key(plan)

    cond do
      is_map_key(search.known, key) -> {search.known[key], search}
      not open?(search) -> {:unknown, search}
      true -> search |> run({:guided, plan}) |> judge(plan, key)
    end
  end

  # Plans can be long, and hundreds are tried.
  defp key(plan), do: plan |> :erlang.term_to_binary() |> :erlang.md5()

  defp judge({result, search}, plan, key) do
    case Signature.of(result) do
      :ok -> learn(search, key, :pass, :pass)
      signature when signature == search.signature -> learn(search, key, :same, {:same, measured(plan, result)})
      _ -> learn(search, key, :other, :other)
    end
  end

  defp learn(search, key, verdict, answer), do: {answer, %{search | known: Map.put(search.known, key, verdict)}}

  @doc "A run with its plan and its cost."
  @spec measured(plan(), Simulation.Result.t()) :: run()
  def measured(plan, result), do: %{plan: plan, cost: cost(result), result: result}

  @doc "How often the run has left a process that could go on."
  @spec switches(Simulation.Result.t()) :: non_neg_integer()
  def switches(%{trail: {_deeds, switches, _deviations}}), do: switches

  # Of two plans for the same run, the one that says less. Another kind of fault may lead to the same error, but the run
  # then tells of something else.
  defp smaller?(run, best) do
    {run.cost, size(run.plan)} < {best.cost, size(best.plan)} and
      Enum.all?(run.result.faults, fn {kind, count} -> count <= Map.get(best.result.faults, kind, 0) end)
  end

  defp size(plan), do: {length(plan), -Enum.sum(for {:act, _who, until, _} <- plan, do: until)}

  # Fewer faults, and milder ones; stalls, and shorter ones; latencies; context switches; what comes out of its turn; steps.
  defp cost(%{trail: {deeds, switches, deviations}} = result) do
    [faults, stalls, latencies] = for kind <- [:fault, :stall, :latency], do: amount(deeds, kind)
    {result.faults |> Map.values() |> Enum.sum(), faults, stalls, latencies, switches, deviations, result.steps}
  end

  defp amount(deeds, kind) do
    values = for {^kind, _who, _at, value, _step} <- deeds, do: value
    {length(values), Enum.sum(values)}
  end
end
