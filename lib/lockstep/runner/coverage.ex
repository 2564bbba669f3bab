defmodule Lockstep.Runner.Coverage do
  @moduledoc false
  # Which schedules a sweep has met, and how much of all it has not: the Good-Turing estimate (Good, "The Population
  # Frequencies of Species and the Estimation of Population Parameters", Biometrika 40, 1953) from those met once.

  alias Lockstep.Report.Time

  defstruct singletons: 0, met: %{}

  @type t :: %__MODULE__{singletons: non_neg_integer(), met: %{non_neg_integer() => :once | :again}}

  # Of fewer runs an estimate says nothing.
  @enough 20
  # From here on more seeds bring little.
  @little 0.05

  @doc "One run more, of the schedule with this hash."
  @spec add(t(), non_neg_integer()) :: t()
  def add(coverage, hash) do
    case coverage.met do
      %{^hash => :again} -> coverage
      %{^hash => :once} = met -> %{coverage | singletons: coverage.singletons - 1, met: %{met | hash => :again}}
      met -> %{coverage | singletons: coverage.singletons + 1, met: Map.put(met, hash, :once)}
    end
  end

  @doc "How many different schedules there were."
  @spec distinct(t()) :: non_neg_integer()
  def distinct(coverage), do: map_size(coverage.met)

  @doc "How likely another run is to be one that has not been met, or `nil` after too few runs to say."
  @spec unseen(%{singletons: non_neg_integer(), runs: non_neg_integer()}) :: float() | nil
  def unseen(%{runs: runs}) when runs < @enough, do: nil
  def unseen(%{runs: runs, singletons: singletons}), do: singletons / runs

  @doc "That in words, with what follows from it."
  @spec describe(float() | nil) :: String.t()
  def describe(nil), do: ""
  def describe(unseen) when unseen == 0, do: " (each met more than once: further seeds would hardly show another)"

  def describe(unseen) when unseen <= @little,
    do: " (1 in #{Time.digits(round(1 / unseen))} further seeds would show another: they bring little)"

  def describe(unseen), do: " (#{round(unseen * 100)} % of further seeds would show another)"
end
