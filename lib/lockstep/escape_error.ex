defmodule Lockstep.EscapeError do
  @moduledoc """
  Code under control called a function whose effect Lockstep does not control.

  Raised with `escapes: :raise`, and for the few functions that no run may call: those that would stop the VM, and
  those of the real cluster.

  Fields:

    * `:module`, `:function`, `:arity` - the function
    * `:location` - `{file, line}` of the call, or `nil`
    * `:never?` - whether no setting of `escapes:` allows the call
  """

  defexception [:module, :function, :arity, :location, never?: false]

  @type t :: %__MODULE__{
          module: module(),
          function: atom(),
          arity: arity(),
          location: {String.t(), pos_integer()} | nil,
          never?: boolean()
        }

  @impl true
  def message(%__MODULE__{} = error) do
    "#{describe(error.module, error.function, error.arity, error.location)}, and #{remedy(error)}"
  end

  @doc false
  @spec describe(module(), atom(), arity(), {String.t() | charlist(), pos_integer()} | nil) :: String.t()
  def describe(module, function, arity, location) do
    "#{Exception.format_mfa(module, function, arity)} has an effect outside the simulation#{at(location)}"
  end

  defp remedy(%{never?: true}) do
    "would act on the VM that runs the tests; put it behind a function that the test replaces"
  end

  defp remedy(_error) do
    "could make the run impossible to replay; call it before the run, wrap it in Lockstep.host/1 if it does no harm, " <>
      "or put it behind a function that the test replaces"
  end

  defp at(nil), do: ""
  defp at({file, line}), do: " (called at #{Path.relative_to_cwd(to_string(file))}:#{line})"
end
