defmodule Lockstep.MissingDebugInfoError do
  @moduledoc """
  Raised when a module under test was compiled without debug information, from which Lockstep makes the instrumented
  copy that runs inside a simulation.
  """
  defexception [:module]

  @type t :: %__MODULE__{module: module()}

  @impl true
  def message(%{module: module}) do
    "module #{inspect(module)} has no debug_info, which is needed to run it inside a simulation; compile it with " <>
      "debug_info (in mix.exs: `elixirc_options: [debug_info: true]`, for Erlang `erlc_options: [:debug_info]`), and " <>
      "if it is defined in a test file call Lockstep.start() in test_helper.exs before the file is compiled; one that " <>
      "the run itself defines cannot be used in it: define it outside"
  end
end
