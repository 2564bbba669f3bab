defmodule Lockstep.Shrink.Counts do
  @moduledoc false
  # How much a recorded run is disturbed, in numbers for people.

  alias Lockstep.Simulation.Result

  @type t :: %{
          faults: non_neg_integer(),
          stalls: non_neg_integer(),
          switches: non_neg_integer(),
          steps: non_neg_integer()
        }

  @doc "The numbers of a recorded run in which a process that could go on was left `switches` times."
  @spec of(Result.t(), non_neg_integer()) :: t()
  def of(%Result{} = result, switches) do
    %{
      faults: result.faults |> Map.values() |> Enum.sum(),
      stalls: Enum.count(result.events, &(&1.kind == :stall)),
      switches: switches,
      steps: result.steps
    }
  end
end
