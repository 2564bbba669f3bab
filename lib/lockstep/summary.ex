defmodule Lockstep.Summary do
  @moduledoc """
  What a sweep did.

    * `:runs` - how many runs were made
    * `:total` - how many were asked for; more than `:runs` where a failure ended the sweep
    * `:exhausted` - with `strategy: :exhaustive`: `:all` when everything has been run, `:limit` when `max_runs:` ended the
      search, else `nil`
    * `:abandoned` - with it: the runs that were given up because all that they could still do had been seen
    * `:steps` - steps of all runs together
    * `:distinct` - how many different schedules there were: exactly up to 32,768, beyond that an estimate (within 2 %)
    * `:singletons` - how many of these were met once only; see `unseen/1`
    * `:virtual_ms`, `:wall_ms` - virtual and wall time of all runs together, in ms
    * `:strategy`, `:seeds` - as asked for
    * `:strategies` - how many runs each strategy had: a map, with more than one of them only for `:portfolio`
    * `:found_by` - the strategy whose run failed, or `nil`
    * `:escapes` - the calls that Lockstep does not control, how often each was made: a map from
      `{module, function, arity, {file, line}}`; with any, the same seed may not give the same run
    * `:sometimes` - in how many runs the condition of each `Lockstep.sometimes/2` was met: a map from the names

  As text:

      iex> to_string(%Lockstep.Summary{
      ...>   runs: 500, total: 500, steps: 20_512, distinct: 493, singletons: 486, virtual_ms: 61_200, wall_ms: 2_100,
      ...>   strategy: :random, seeds: 1..500
      ...> })
      "500 runs in 2.1 s (238 a second), 493 distinct schedules (97 % of further seeds would show another), " <>
        "20,512 steps, 1 min 1 s of virtual time"

  """

  alias Lockstep.Report.Time
  alias Lockstep.Runner.{Coverage, Exhaustive, Strategies}

  defstruct [
    :strategy,
    :seeds,
    :found_by,
    :exhausted,
    runs: 0,
    total: 0,
    steps: 0,
    distinct: 0,
    singletons: 0,
    abandoned: 0,
    virtual_ms: 0,
    wall_ms: 0,
    strategies: %{},
    escapes: %{},
    sometimes: %{}
  ]

  @typedoc "A call, and where it was made."
  @type place :: {module(), atom(), arity(), {String.t() | charlist(), pos_integer()} | nil}

  @type t :: %__MODULE__{
          runs: non_neg_integer(),
          total: non_neg_integer(),
          steps: non_neg_integer(),
          distinct: non_neg_integer(),
          singletons: non_neg_integer(),
          virtual_ms: non_neg_integer(),
          wall_ms: non_neg_integer(),
          exhausted: :all | :limit | nil,
          abandoned: non_neg_integer(),
          strategy: atom() | {:exhaustive, keyword()} | {:pct, pos_integer()} | {:replay, [non_neg_integer()]},
          strategies: %{(atom() | tuple()) => pos_integer()},
          found_by: atom() | tuple() | nil,
          seeds: Range.t() | [non_neg_integer()],
          escapes: %{place() => pos_integer()},
          sometimes: %{(String.t() | atom()) => non_neg_integer()}
        }

  @doc """
  How likely another seed is to show a schedule that the sweep has not met: the share of the runs whose schedule no other
  run had, which is the Good-Turing estimate (Good, Biometrika 40, 1953). `nil` of fewer than 20 runs, which say too little.

  Near 1, the sweep has seen a small part of what there is. Near 0, it has seen almost all that its strategy finds.

  ## Example

      iex> Lockstep.Summary.unseen(%Lockstep.Summary{runs: 200, distinct: 30, singletons: 10})
      0.05

  """
  @spec unseen(t()) :: float() | nil
  def unseen(%__MODULE__{} = summary), do: Coverage.unseen(summary)

  @doc false
  @spec describe(t()) :: String.t()
  def describe(%__MODULE__{} = summary) do
    if Exhaustive.asked?(summary.strategy), do: describe_exhaustive(summary), else: describe_sweep(summary)
  end

  defp describe_exhaustive(summary) do
    "#{Exhaustive.describe(summary)} in #{Time.duration(summary.wall_ms)}#{rate(summary)}" <>
      "#{Exhaustive.describe_abandoned(summary)}, #{Time.count(summary.steps, "step")}, " <>
      "#{Time.duration(summary.virtual_ms)} of virtual time#{sometimes(summary)}#{escapes(summary.escapes)}"
  end

  defp describe_sweep(summary) do
    "#{Time.count(summary.runs, "run")} in #{Time.duration(summary.wall_ms)}#{rate(summary)}, " <>
      "#{Time.count(summary.distinct, "distinct schedule")}#{Coverage.describe(unseen(summary))}, #{Time.count(summary.steps, "step")}, " <>
      "#{Time.duration(summary.virtual_ms)} of virtual time#{strategies(summary)}#{sometimes(summary)}#{escapes(summary.escapes)}"
  end

  defp strategies(%{strategies: strategies}) when map_size(strategies) < 2, do: ""

  defp strategies(%{strategies: strategies}) do
    runs = strategies |> Enum.sort_by(fn {name, runs} -> {-runs, name} end)
    "; " <> Enum.map_join(runs, ", ", fn {name, runs} -> "#{Strategies.variable(name)} #{Time.digits(runs)}" end)
  end

  defp sometimes(%{sometimes: none}) when none == %{}, do: ""

  defp sometimes(summary) do
    runs = Time.count(summary.runs, "run")
    met = Enum.map_join(Enum.sort(summary.sometimes), ", ", fn {name, met} -> "#{inspect(name)} in #{met}" end)
    "; of #{runs}, #{met}"
  end

  defp escapes(none) when none == %{}, do: ""

  defp escapes(escapes) do
    count = escapes |> Map.values() |> Enum.sum()
    "; reproducibility is not guaranteed: #{Time.count(count, "call")} outside of control"
  end

  defp rate(%{wall_ms: ms}) when ms < 100, do: ""
  defp rate(summary), do: " (#{Time.digits(round(summary.runs * 1000 / summary.wall_ms))} a second)"

  defimpl String.Chars do
    def to_string(summary), do: Lockstep.Summary.describe(summary)
  end

  defimpl Inspect do
    def inspect(summary, _opts), do: "#Lockstep.Summary<#{Lockstep.Summary.describe(summary)}>"
  end
end
