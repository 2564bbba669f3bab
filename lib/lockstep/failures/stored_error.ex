defmodule Lockstep.Failures.StoredError do
  @moduledoc """
  The error of a stored failure: its text, as it was when the run failed. The error itself is gone with its run.
  """

  defexception [:text]

  @type t :: %__MODULE__{text: String.t()}

  @impl true
  def message(%__MODULE__{text: text}), do: text
end
