defmodule Lockstep.OutsideRunError do
  @moduledoc """
  Raised when a function that only means something inside a run is called outside of one.
  """
  defexception [:call]

  @type t :: %__MODULE__{call: String.t()}

  @impl true
  def message(%{call: call}) do
    "#{call} was called outside a run; call it from the function given to Lockstep.Runner.run/2 or from a test of a " <>
      "module that uses Lockstep.Case"
  end
end
