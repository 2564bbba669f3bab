defmodule Lockstep.Instrument.UnsupportedModuleError do
  @moduledoc """
  Raised when no copy of a module can be made for a simulation, though its source is there.
  """
  defexception [:module, :reason]

  @type t :: %__MODULE__{module: module(), reason: String.t()}

  @impl true
  def message(%{module: module, reason: reason}) do
    "module #{inspect(module)} cannot run inside a simulation: #{reason}; put it behind a module that tests replace, " <>
      "or compile it without what is named here"
  end
end
