defmodule Lockstep.Runner.Job do
  @moduledoc false
  # What whoever makes the runs of a sweep has to know, and how one of them is made.
  #
  # Runs are made without recording, which is what makes a sweep fast.

  alias Lockstep.{NondeterminismError, Options, Simulation}
  alias Lockstep.Runner.{Comparison, Strategies}

  @enforce_keys [:fun, :options, :total]
  defstruct @enforce_keys ++ [:profile, :scheduler]

  @typedoc "`:profile` is what is known of the program; with `:scheduler` all processes of the runs are kept on that one."
  @type t :: %__MODULE__{
          fun: (... -> term()),
          options: Options.t(),
          total: non_neg_integer(),
          profile: binary() | nil,
          scheduler: pos_integer() | nil
        }

  @typedoc "A run: its seed, the strategy asked for, and the one that the seed has of it."
  @type run :: %{seed: non_neg_integer(), asked: term(), chosen: term()}

  @doc """
  Makes the run of `seed`.

  What a strategy knows of the program is always from the undisturbed run of seed 0, so that a seed alone determines its
  run. That run is made when it is first needed, and is the answer if it fails.
  """
  @spec attempt(t(), non_neg_integer()) :: {t(), run(), Simulation.Result.t()}
  def attempt(job, seed) do
    run = %{seed: seed, asked: job.options.strategy, chosen: Strategies.chosen(job.options.strategy, seed)}

    with {:ok, job} <- profile(job, Strategies.profile?(run.chosen)) do
      {job, run, simulate(job, run, record_all?(job))}
    end
  end

  defp profile(%{profile: nil} = job, true) do
    run = %{seed: 0, asked: :fifo, chosen: :fifo}
    result = simulate(job, %{run | chosen: :profile}, record_all?(job))
    if result.outcome == :ok, do: {:ok, %{job | profile: result.profile}}, else: {job, run, result}
  end

  defp profile(job, _needed?), do: {:ok, job}

  @doc "Makes a run, with all that happens in it recorded or not."
  @spec simulate(t(), run(), boolean()) :: Simulation.Result.t()
  def simulate(job, run, record?) do
    config = Simulation.config(%{job.options | strategy: run.chosen}, run.seed, record?)
    profile = if Strategies.profile?(run.chosen), do: job.profile
    Simulation.run(job.fun, config |> Map.put(:profile, profile) |> bind(job.scheduler))
  end

  defp bind(config, nil), do: config
  defp bind(config, scheduler), do: Map.put(config, :scheduler, scheduler)

  # A single run that fails is going to be shown, so it is recorded at once.
  defp record_all?(%{options: options, total: total}) do
    options.trace != nil or options.check_determinism or total == 1
  end

  @doc "How a run differs from another with the same seed, if that is to be checked of every seed."
  @spec difference(t(), run(), Simulation.Result.t()) :: NondeterminismError.t() | nil
  def difference(%{options: %{check_determinism: false}}, _run, _result), do: nil
  def difference(job, run, result), do: Comparison.difference(run.seed, result, simulate(job, run, true))
end
