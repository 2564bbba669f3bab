defmodule Lockstep.AlwaysError do
  @moduledoc """
  A claim of `Lockstep.always/3` did not hold.

  Fields:

    * `:name` - the name of the claim
    * `:value` - what the check gave, `nil` or `false`
    * `:cause` - `{kind, reason, stacktrace}` if it raised, exited or threw instead, or `nil`
    * `:step` - the last step before the check
    * `:time` - when that was, in ms of virtual time
    * `:place` - `{file, line}` of the claim, or `nil`
  """

  alias Lockstep.Report.{Stack, Time}
  alias Lockstep.Runtime.Place

  defexception [:name, :value, :cause, :step, :time, :place]

  @type t :: %__MODULE__{
          name: String.t() | atom(),
          value: nil | false,
          cause: {:error | :exit | :throw, term(), Exception.stacktrace()} | nil,
          step: non_neg_integer(),
          time: non_neg_integer(),
          place: {String.t() | charlist(), pos_integer()} | nil
        }

  @impl true
  def message(%__MODULE__{} = error) do
    "#{inspect(error.name)} does not hold after step #{Time.digits(error.step)}, at #{Time.duration(error.time)} of " <>
      "virtual time (claimed at #{Place.format(error.place)})#{outcome(error)}"
  end

  defp outcome(%{cause: nil, value: value}), do: "; the check gave #{inspect(value)}"

  defp outcome(%{cause: {:error, %{__struct__: ExUnit.AssertionError} = error, _stack}}) do
    ":\n\n#{error |> Exception.message() |> String.trim_leading()}"
  end

  defp outcome(%{cause: {kind, reason, stack}}) do
    "; the check failed:\n\n#{Exception.format(kind, reason, Stack.prune(stack))}"
  end
end
