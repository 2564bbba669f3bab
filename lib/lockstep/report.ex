defmodule Lockstep.Report do
  @moduledoc """
  The text of a failed run: the user's own error, the facts of the run, its schedule, and the one line that replays it.

  `Lockstep.Failure` shows it as its message. `format/2` gives the same text at another width.
  """

  alias Lockstep.{Failure, NondeterminismError, ProcessFailure, WatchdogError}
  alias Lockstep.Report.{Colour, Layout, Output, Schedule, Time, UserError}
  alias Lockstep.Runner.Terminal

  @doc "The report of `failure`, fitted to `width` columns (default: those of the terminal)."
  @spec format(Failure.t(), pos_integer()) :: String.t()
  def format(%Failure{} = failure, width \\ Terminal.text_width()) do
    [
      "with seed #{failure.seed}:" <> Colour.reset(),
      UserError.format(failure.error, failure.location, width),
      replayed(failure.replayed, width),
      disagreement(failure.nondeterminism, width),
      Layout.paragraphs(facts(failure), width),
      schedule(failure, width),
      Output.format(failure.result.output, failure.result.processes, width),
      "replay with",
      []
    ]
    |> List.flatten()
    |> Enum.intersperse("\n\n")
    |> IO.iodata_to_binary()
    |> String.trim_trailing()
    |> Kernel.<>("\n\n  " <> Colour.paint(:bright, failure.replay))
  end

  defp replayed(nil, _width), do: []

  defp replayed(replay, width),
    do: Colour.paint(:yellow, replay |> Lockstep.Runner.Replay.describe() |> Layout.paragraphs(width))

  # Said before the schedule, because the schedule is then that of another run.
  defp disagreement(nil, _width), do: []

  defp disagreement(%NondeterminismError{} = error, width) do
    text =
      "the run is not deterministic: run again with the same seed, to be recorded, it went another way; " <>
        "the schedule below is the one of that other run"

    [Colour.paint(:yellow, Layout.paragraphs(text, width)), Layout.paragraphs(Exception.message(error), width)]
  end

  defp facts(failure) do
    result = failure.result

    summary = failure.summary

    "seed #{failure.seed}, run #{Time.digits(failure.run)} of #{Time.digits(summary.total)}, " <>
      "strategy #{strategy(failure.strategy)}, #{Time.count(result.steps, "step")}, " <>
      "#{Time.duration(result.virtual_ms)} of virtual time" <> escapes(result.escapes)
  end

  defp escapes([]), do: ""

  defp escapes([{{module, function, arity, _place}, _count} | more]) do
    others = if more == [], do: "", else: " and #{Time.count(length(more), "other place")}"

    "; #{Exception.format_mfa(module, function, arity)}#{others} went outside of control, so that another run of this " <>
      "seed may differ"
  end

  defp strategy({:replay, choices}), do: "replay of #{Time.count(length(choices), "choice")}"
  defp strategy(name), do: inspect(name)

  defp schedule(failure, width) do
    Schedule.format(failure.result.events, failure.result.processes, width, [0 | focus(failure.error)])
  end

  defp focus(%ProcessFailure{process: %{id: id}}), do: [id]
  defp focus(%WatchdogError{process: %{id: id}}), do: [id]
  defp focus(_error), do: []
end
