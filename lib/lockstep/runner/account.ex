defmodule Lockstep.Runner.Account do
  @moduledoc false
  # What some runs of a sweep have shown, in numbers. Accounts of neighbouring seeds can be put together: whoever has made
  # the runs, and in how many parts, the sum is the same.

  alias Lockstep.Runner.{Coverage, Sometimes}
  alias Lockstep.Simulation.Result
  alias Lockstep.Summary

  defstruct runs: 0, strategies: %{}, escapes: %{}, sometimes: %{}, steps: 0, virtual_ms: 0, coverage: %Coverage{}

  @type t :: %__MODULE__{
          runs: non_neg_integer(),
          strategies: %{term() => pos_integer()},
          escapes: %{Summary.place() => pos_integer()},
          sometimes: Sometimes.counts(),
          steps: non_neg_integer(),
          virtual_ms: non_neg_integer(),
          coverage: Coverage.t()
        }

  @doc "The account before the first run; `names` are those of `Lockstep.sometimes/2` that have to be met."
  @spec new([String.t() | atom()]) :: t()
  def new(names \\ []), do: %__MODULE__{sometimes: Sometimes.declared(names)}

  @doc "Adds a run, which had the strategy `chosen`."
  @spec add(t(), term(), Result.t()) :: t()
  def add(account, chosen, result) do
    %{
      account
      | runs: account.runs + 1,
        strategies: Map.update(account.strategies, chosen, 1, &(&1 + 1)),
        steps: account.steps + result.steps,
        virtual_ms: account.virtual_ms + result.virtual_ms,
        coverage: Coverage.add(account.coverage, result.interleaving),
        escapes: escapes(account.escapes, result.escapes),
        sometimes: Sometimes.add(account.sometimes, result.sometimes)
    }
  end

  defp escapes(escapes, []), do: escapes
  defp escapes(escapes, more), do: sum(escapes, Map.new(more))

  @doc "Puts two accounts together; the seeds of the first come first."
  @spec merge(t(), t()) :: t()
  def merge(one, other) do
    %__MODULE__{
      runs: one.runs + other.runs,
      strategies: sum(one.strategies, other.strategies),
      steps: one.steps + other.steps,
      virtual_ms: one.virtual_ms + other.virtual_ms,
      coverage: Coverage.merge(one.coverage, other.coverage),
      escapes: sum(one.escapes, other.escapes),
      sometimes: Sometimes.merge(one.sometimes, other.sometimes)
    }
  end

  defp sum(counts, others), do: Map.merge(counts, others, fn _what, one, other -> one + other end)

  @doc "The summary of the account, but for what concerns the sweep as a whole."
  @spec summary(t()) :: Summary.t()
  def summary(account) do
    %Summary{
      runs: account.runs,
      steps: account.steps,
      distinct: Coverage.distinct(account.coverage),
      singletons: Coverage.singletons(account.coverage),
      virtual_ms: account.virtual_ms,
      strategies: account.strategies,
      escapes: account.escapes,
      sometimes: Sometimes.met(account.sometimes)
    }
  end
end
