defmodule Lockstep.Runner.Coverage do
  @moduledoc false
  # Which schedules a sweep has met, and how much of all it has not: the Good-Turing estimate (Good, "The Population
  # Frequencies of Species and the Estimation of Population Parameters", Biometrika 40, 1953) from those met once.
  #
  # Beyond `most` different schedules only a sample is kept, so that the memory does not grow with the sweep: every second
  # one, every fourth and so on, by the low bits of their hashes (Flajolet, "On Adaptive Sampling", Computing 43, 1990).
  # Which are kept depends on nothing but the schedules that were met, so parts of a sweep can be put together in any way.

  import Bitwise

  alias Lockstep.Report.Time

  # The counts of a sample of so many are wrong by 0.7 % (standard error).
  @most 32_768

  defstruct level: 0, most: @most, met: %{}

  @type t :: %__MODULE__{
          level: non_neg_integer(),
          most: pos_integer() | :infinity,
          met: %{non_neg_integer() => :once | :again}
        }

  # Integers of so many bits take no memory of their own.
  @bits (1 <<< 59) - 1
  # Of fewer runs an estimate says nothing.
  @enough 20
  # From here on more seeds bring little.
  @little 0.05

  @doc "Nothing met so far, and all of it kept, however many there will be: for who has to know exactly."
  @spec exact() :: t()
  def exact, do: %__MODULE__{most: :infinity}

  @doc "One run more, of the schedule with this hash."
  @spec add(t(), non_neg_integer()) :: t()
  def add(coverage, hash) do
    hash = hash &&& @bits

    case coverage.met do
      %{^hash => :again} -> coverage
      %{^hash => :once} = met -> %{coverage | met: %{met | hash => :again}}
      met -> if sampled?(coverage.level, hash), do: keep(coverage, Map.put(met, hash, :once)), else: coverage
    end
  end

  defp sampled?(level, hash), do: (hash &&& (1 <<< level) - 1) == 0

  # An integer is less than any atom.
  defp keep(%{most: most} = coverage, met) when map_size(met) <= most, do: %{coverage | met: met}
  defp keep(coverage, met), do: keep(%{coverage | level: coverage.level + 1}, sample(met, coverage.level + 1))

  defp sample(met, level), do: :maps.filter(fn hash, _count -> sampled?(level, hash) end, met)

  @doc "What two parts of a sweep have met together."
  @spec merge(t(), t()) :: t()
  def merge(one, other) when map_size(other.met) > map_size(one.met), do: merge(other, one)

  def merge(one, other) do
    level = max(one.level, other.level)
    met = if one.level < level, do: sample(one.met, level), else: one.met
    together = fn hash, count, met -> if sampled?(level, hash), do: meet(met, hash, count), else: met end
    keep(%{one | level: level}, :maps.fold(together, met, other.met))
  end

  defp meet(met, hash, count) do
    if is_map_key(met, hash), do: %{met | hash => :again}, else: Map.put(met, hash, count)
  end

  @doc "How many different schedules there were: exactly up to #{@most}, from a sample beyond."
  @spec distinct(t()) :: non_neg_integer()
  def distinct(coverage), do: map_size(coverage.met) <<< coverage.level

  @doc "How many of them were met once only."
  @spec singletons(t()) :: non_neg_integer()
  def singletons(coverage), do: Enum.count(coverage.met, fn {_hash, count} -> count == :once end) <<< coverage.level

  @doc "How likely another run is to be one that has not been met, or `nil` after too few runs to say."
  @spec unseen(%{singletons: non_neg_integer(), runs: non_neg_integer()}) :: float() | nil
  def unseen(%{runs: runs}) when runs < @enough, do: nil
  def unseen(%{runs: runs, singletons: singletons}), do: min(singletons / runs, 1.0)

  @doc "That in words, with what follows from it."
  @spec describe(float() | nil) :: String.t()
  def describe(nil), do: ""
  def describe(unseen) when unseen == 0, do: " (each met more than once: further seeds would hardly show another)"

  def describe(unseen) when unseen <= @little,
    do: " (1 in #{Time.digits(round(1 / unseen))} further seeds would show another: they bring little)"

  def describe(unseen), do: " (#{round(unseen * 100)} % of further seeds would show another)"
end
