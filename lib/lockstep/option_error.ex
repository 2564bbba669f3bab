defmodule Lockstep.OptionError do
  @moduledoc """
  An option of a run that cannot be used.

  Raised before anything is started. Fields:

    * `:option` - the name of the option, or `nil` when the options as a whole are not a keyword list
    * `:value` - what was given
    * `:expected` - what would have been right, and what to do
    * `:source` - where the value came from: `"LOCKSTEP_SEED"`, the tag of a test, or `nil` for a plain argument
  """

  defexception [:option, :value, :expected, :source]

  @type t :: %__MODULE__{
          option: term(),
          value: term(),
          expected: String.t(),
          source: String.t() | nil
        }

  @impl true
  def message(%__MODULE__{} = error) do
    "#{subject(error)}: #{error.expected}"
  end

  defp subject(%{option: nil} = error), do: "invalid options #{inspect(error.value)}#{from(error.source)}"

  defp subject(%{option: :unknown} = error),
    do: "unknown option #{inspect(error.value)}#{from(error.source)}"

  defp subject(error) do
    "invalid value #{inspect(error.value, limit: 10)} for option #{inspect(error.option)}#{from(error.source)}"
  end

  defp from(nil), do: ""
  defp from(source), do: " (from #{source})"
end
