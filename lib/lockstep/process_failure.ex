defmodule Lockstep.ProcessFailure do
  @moduledoc """
  A process other than the main one failed the run, as `fail_on:` asks for.

  Fields:

    * `:process` - which one, a map with `:id`, `:node` and `:label`
    * `:kind` - `:crash`, it ended with an abnormal reason; `:blocked`, it is left waiting for ever
    * `:reason` - the exit reason of a crash
    * `:waiting_in` - the code that a blocked process waits in, as text, or `nil`
  """

  defexception [:process, :kind, :reason, :waiting_in]

  @type t :: %__MODULE__{
          process: map(),
          kind: :crash | :blocked,
          reason: term(),
          waiting_in: String.t() | nil
        }

  @impl true
  def message(%__MODULE__{kind: :blocked} = error) do
    "#{Lockstep.Report.Names.of(error.process)} is left waiting for ever#{waiting(error.waiting_in)} " <>
      "(fail_on: :blocked); let it end, or take :blocked out of fail_on:"
  end

  def message(%__MODULE__{} = error) do
    "#{Lockstep.Report.Names.of(error.process)} crashed (fail_on: :crash): " <>
      Lockstep.Report.Stack.format_exit(error.reason)
  end

  defp waiting(nil), do: ""
  defp waiting(text), do: " in #{text}"
end
