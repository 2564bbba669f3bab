defmodule Lockstep.StepLimitError do
  @moduledoc """
  A run had more steps than `max_steps:` allows.

  `:limit` is that number.
  """

  defexception [:limit]

  @type t :: %__MODULE__{limit: pos_integer()}

  @impl true
  def message(%__MODULE__{limit: limit}) do
    "the run did not end within max_steps: #{limit}; the last steps of the schedule show what goes on for ever, " <>
      "and a larger max_steps: lets a long run end"
  end
end
