defmodule Lockstep.Report do
  @moduledoc """
  The text of a failed run.

  In this order: the user's own error, and what it may come of if that can be told; the two events whose order decides, where they are known; the story of the run, of
  which only what led to the failure is shown; who waited for whom, if it hung; what the run has printed; the facts of the
  run in a line; and the one line that replays it. `docs/reading-a-failure.md` explains each of them.

  `Lockstep.Failure` shows it as its message. `format/2` gives the same text at another width, `json/1` the same facts for
  tools.
  """

  alias Lockstep.{DeadlockError, Failure, NondeterminismError}
  alias Lockstep.Report.{Colour, Deadlock, Facts, Hint, Json, Layout, Output, Pair, Story, Time, UserError, Words}
  alias Lockstep.Runner.{Exhaustive, Strategies, Terminal}

  @doc """
  The report of `failure`, fitted to `width` columns (default: those of the terminal).

  ## Example

      {:failed, failure} = Lockstep.Runner.explore(&MyApp.Scenario.transfer/0)
      IO.puts(Lockstep.Report.format(failure, 160))

  """
  @spec format(Failure.t(), pos_integer()) :: String.t()
  def format(%Failure{} = failure, width \\ Terminal.text_width()) do
    facts = Facts.of(failure)

    [
      "with seed #{failure.seed}:" <> Colour.reset(),
      error(facts, width),
      Hint.format(facts, width),
      replayed(failure.replayed, width),
      Pair.format(facts, width),
      disagreement(failure.nondeterminism, width),
      story(facts, width),
      Deadlock.format(facts, width),
      Output.format(facts.result.output, facts.processes, width),
      Layout.paragraphs(facts_of_run(facts), width),
      "replay with",
      []
    ]
    |> List.flatten()
    |> Enum.intersperse("\n\n")
    |> IO.iodata_to_binary()
    |> String.trim_trailing()
    |> Kernel.<>("\n\n  " <> Colour.paint(:bright, failure.replay))
  end

  @doc """
  The facts of `failure` as JSON, for tools: one object, whose fields `docs/reading-a-failure.md` lists.

  ## Example

      File.write!("failure.json", Lockstep.Report.json(failure))

  """
  @spec json(Failure.t()) :: String.t()
  def json(%Failure{} = failure), do: failure |> Facts.of() |> Json.Document.of() |> Json.encode()

  defp error(%{error: %DeadlockError{}} = facts, width), do: Deadlock.error(facts, width)

  defp error(facts, width) do
    facts.error |> UserError.format(facts.failure.location, width) |> Words.with_names(facts.names)
  end

  defp story(facts, width), do: Story.format(facts, width)

  defp replayed(nil, _width), do: []

  defp replayed(replay, width),
    do: Colour.paint(:yellow, replay |> Lockstep.Runner.Replay.describe() |> Layout.paragraphs(width))

  # Said before the story, because that is then the one of another run.
  defp disagreement(nil, _width), do: []

  defp disagreement(%NondeterminismError{} = error, width) do
    text =
      "the run is not deterministic: run again with the same seed, to be recorded, it went another way; " <>
        "the schedule below is the one of that other run"

    [Colour.paint(:yellow, Layout.paragraphs(text, width)), Layout.paragraphs(Exception.message(error), width)]
  end

  defp facts_of_run(%{failure: failure} = facts) do
    result = failure.result

    "seed #{failure.seed}, run #{Time.digits(failure.run)}#{of_total(failure.summary)}, " <>
      "strategy #{Strategies.describe(failure.strategy, failure.chosen)}, #{Time.count(result.steps, "step")}, " <>
      "#{Time.duration(result.virtual_ms)} of virtual time" <> shrunk(facts.shrunk) <> escapes(result.escapes)
  end

  # How many interleavings there are nobody knows before all have been run.
  defp of_total(%{strategy: strategy, total: total}),
    do: if(Exhaustive.asked?(strategy), do: "", else: " of #{Time.digits(total)}")

  defp shrunk(%{before: same, after: same, replays: replays}),
    do: "; it is the smallest of #{Time.count(replays, "replay")} that fails"

  defp shrunk(%{before: before, after: now, replays: replays}) do
    "; shown is its schedule shrunk from #{counts(before)} to #{counts(now)} (#{Time.count(replays, "replay")})"
  end

  defp shrunk(_none), do: ""

  defp counts(counts) do
    nouns = [faults: "fault", stalls: "stall", switches: "switch", steps: "step"]
    shown = for {key, noun} <- nouns, count = counts[key], count > 0 or key == :switches, do: Time.count(count, noun)
    Enum.join(shown, ", ")
  end

  defp escapes([]), do: ""

  defp escapes([{{module, function, arity, _place}, _count} | more]) do
    others = if more == [], do: "", else: " and #{Time.count(length(more), "other place")}"

    "; #{Exception.format_mfa(module, function, arity)}#{others} went outside of control, so that another run of this " <>
      "seed may differ"
  end
end
