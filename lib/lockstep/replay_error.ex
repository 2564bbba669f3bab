defmodule Lockstep.ReplayError do
  @moduledoc """
  A stored choice log does not fit the run that it is to replay: the code has changed since, or something else did.

  Fields:

    * `:choice` - the number, from 1, of the first choice that did not fit
    * `:step` - the step at which it was to be made, or `nil`
    * `:value` - what the log says, or `nil` where the log is at its end
    * `:available` - how many possibilities there were, or `nil`
  """

  defexception [:choice, :step, :value, :available]

  @type t :: %__MODULE__{
          choice: pos_integer() | nil,
          step: non_neg_integer() | nil,
          value: non_neg_integer() | nil,
          available: non_neg_integer() | nil
        }

  @impl true
  def message(%__MODULE__{} = error) do
    "the choice log does not fit this run; it first differs at #{place(error)}#{facts(error)}; " <>
      "replay it with the code and options that it was recorded with, or search again from a seed"
  end

  defp place(%{choice: choice, step: nil}), do: "choice #{choice}"
  defp place(%{choice: choice, step: step}), do: "choice #{choice}, step #{step}"

  defp facts(%{available: nil}), do: ""
  defp facts(%{value: nil}), do: ": the log ends there"
  defp facts(error), do: ": the log says #{error.value}, and the possibilities are 0 to #{error.available - 1}"
end
