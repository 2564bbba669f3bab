defmodule Lockstep.EscapeError do
  @moduledoc """
  Code under control called a function whose effect Lockstep does not control.

  Fields:

    * `:module`, `:function`, `:arity` - the function
    * `:location` - `{file, line}` of the call, or `nil`
  """

  defexception [:module, :function, :arity, :location]

  @type t :: %__MODULE__{
          module: module(),
          function: atom(),
          arity: arity(),
          location: {String.t(), pos_integer()} | nil
        }

  @impl true
  def message(%__MODULE__{} = error) do
    "#{Exception.format_mfa(error.module, error.function, error.arity)} has an effect outside the simulation" <>
      "#{at(error.location)}, and would make the run impossible to replay; " <>
      "call it before the run, or put it behind a function that the test replaces"
  end

  defp at(nil), do: ""
  defp at({file, line}), do: " (called at #{Path.relative_to_cwd(to_string(file))}:#{line})"
end
