defmodule Lockstep.Failures.NotShrunkError do
  @moduledoc """
  A stored failure could not be made smaller: it does not occur any more, or not in the same way.

  Fields:

    * `:path` - the file, which is left as it is
    * `:reason` - why, in words
  """

  defexception [:path, :reason]

  @type t :: %__MODULE__{path: Path.t(), reason: String.t()}

  @impl true
  def message(%__MODULE__{} = error), do: "#{error.path} cannot be shrunk: #{error.reason}"
end
