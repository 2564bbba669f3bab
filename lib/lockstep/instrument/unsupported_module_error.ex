defmodule Lockstep.Instrument.UnsupportedModuleError do
  @moduledoc """
  Raised when a module under test runs code when it is loaded (`@on_load`), mostly to load a NIF.

  Its copy inside a simulation would load the NIF a second time, under another name.
  """
  defexception [:module]

  @type t :: %__MODULE__{module: module()}

  @impl true
  def message(%{module: module}) do
    "module #{inspect(module)} has an @on_load function (it probably loads a NIF), and such a module cannot run " <>
      "inside a simulation yet; put it behind a module that tests replace"
  end
end
