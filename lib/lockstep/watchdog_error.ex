defmodule Lockstep.WatchdogError do
  @moduledoc """
  A process went on without reaching a scheduling point.

  Fields:

    * `:limit` - the wall time allowed, in ms (`watchdog:`)
    * `:process` - the process that kept running, a map with `:id`, `:node` and `:label`, or `nil`
    * `:stacktrace` - where it was
  """

  defexception [:limit, :process, stacktrace: []]

  @type t :: %__MODULE__{
          limit: pos_integer(),
          process: map() | nil,
          stacktrace: Exception.stacktrace()
        }

  @impl true
  def message(%__MODULE__{} = error) do
    "#{Lockstep.Report.Names.of(error.process)} ran for #{error.limit} ms of wall time without reaching a " <>
      "scheduling point (a send, a receive, a timer, ...)#{stacktrace(error.stacktrace)}\n\n" <>
      "an endless loop there has to go; code that only computes for long needs a larger watchdog: (ms)"
  end

  defp stacktrace(trace) when trace in [nil, []], do: ""

  defp stacktrace(trace) do
    "; it was in\n\n" <> (trace |> Lockstep.Report.Stack.prune() |> Lockstep.Report.Stack.format("  "))
  end
end
