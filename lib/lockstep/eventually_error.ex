defmodule Lockstep.EventuallyError do
  @moduledoc """
  What `Lockstep.eventually/2` waited for has not come true in time.

  Fields:

    * `:value` - the value of the last check, `nil` or `false`
    * `:cause` - the failed assertion of the last check, or `nil`
    * `:waited` - how long that took, in ms
    * `:virtual?` - whether these are virtual ms: they are inside a run
    * `:checks` - how many checks were made
    * `:place` - `{file, line}` of the call, or `nil`
  """

  alias Lockstep.Report.Time
  alias Lockstep.Runtime.Place

  defexception [:value, :cause, :waited, :virtual?, :checks, :place]

  @type t :: %__MODULE__{
          value: nil | false,
          cause: Exception.t() | nil,
          waited: non_neg_integer(),
          virtual?: boolean(),
          checks: pos_integer(),
          place: {String.t() | charlist(), pos_integer()} | nil
        }

  @impl true
  def message(%__MODULE__{} = error) do
    "not so after #{Time.digits(error.waited)} ms#{if error.virtual?, do: " of virtual time"}, " <>
      "in #{Time.count(error.checks, "check")} (#{Place.format(error.place)}); #{last(error)}"
  end

  defp last(%{cause: nil, value: value}), do: "the last one gave #{inspect(value)}; within: says how long to wait"
  defp last(%{cause: cause}), do: "the last one failed:\n\n#{cause |> Exception.message() |> String.trim_leading()}"
end
