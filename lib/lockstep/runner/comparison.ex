defmodule Lockstep.Runner.Comparison do
  @moduledoc false
  # Whether two runs of one seed were the same.

  alias Lockstep.NondeterminismError

  @doc "Whether the two ended in the same way, by the same schedule."
  @spec same?(map(), map()) :: boolean()
  def same?(first, second) do
    class(first.outcome) == class(second.outcome) and
      (first.hash == second.hash or class(first.outcome) == Lockstep.WatchdogError)
  end

  # Reasons hold terms that differ from run to run without meaning anything, such as functions and references.
  defp class(:ok), do: :ok
  defp class({:error, {:crash, kind, %module{}, _trace}}), do: {kind, module}
  defp class({:error, {:crash, kind, _reason, _trace}}), do: kind
  defp class({:error, %module{}}), do: module

  @doc "The first difference between two recorded runs, or `nil`."
  @spec difference(non_neg_integer(), map(), map()) :: NondeterminismError.t() | nil
  def difference(seed, first, second) do
    case first_difference(first.events, second.events) do
      nil -> unless same?(first, second), do: %NondeterminismError{seed: seed, processes: first.processes}
      {one, other} -> error(seed, one, other, first.processes)
    end
  end

  defp error(seed, one, other, processes) do
    %NondeterminismError{seed: seed, step: (one || other).step, first: one, second: other, processes: processes}
  end

  defp first_difference([], []), do: nil
  defp first_difference([], [event | _]), do: {nil, event}
  defp first_difference([event | _], []), do: {event, nil}
  defp first_difference([event | first], [event | second]), do: first_difference(first, second)
  defp first_difference([one | _], [other | _]), do: {one, other}
end
