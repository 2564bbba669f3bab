defmodule Lockstep.Failures.StoredError do
  @moduledoc """
  The error of a stored failure: its text, as it was when the run failed. The error itself is gone with its run.
  """

  defexception [:text, :kind, :name, :file, :line]

  @type t :: %__MODULE__{
          text: String.t(),
          kind: String.t(),
          name: String.t() | nil,
          file: String.t() | nil,
          line: pos_integer() | nil
        }

  @impl true
  def message(%__MODULE__{text: text}), do: text
end
