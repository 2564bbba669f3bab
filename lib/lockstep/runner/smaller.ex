defmodule Lockstep.Runner.Smaller do
  @moduledoc false
  # Makes a stored failure smaller, with more time than a test has when it fails.

  alias Lockstep.{Failures, Shrink}
  alias Lockstep.Failures.{NotShrunkError, Origin}
  alias Lockstep.Report.Time
  alias Lockstep.Runner.Replay

  # Twenty times what a sweep spends.
  @budget [replays: 10_000, steps: 40_000_000]

  @doc "Shrinks the run that a replay came to, and stores the smaller one in the place of the failure."
  @spec store((... -> term()), Lockstep.Simulation.config(), Replay.t(), Lockstep.Simulation.Result.t(), map() | nil) ::
          {:ok, Lockstep.Summary.t()} | {:failed, NotShrunkError.t()}
  def store(fun, config, %Replay{ending: :same} = replay, result, location) do
    with %Shrink{} = shrunk <- Shrink.run(fun, config, result, @budget),
         :ok <- Failures.rewrite(replay.path, Origin.smaller(replay.stored, shrunk, location)) do
      Replay.say(replay.path, describe(replay, shrunk))
      {:ok, Replay.summary(shrunk.result, replay.stored)}
    else
      {:error, reason} -> {:failed, %NotShrunkError{path: replay.path, reason: reason(reason)}}
    end
  end

  def store(_fun, _config, replay, _result, _location),
    do: {:failed, %NotShrunkError{path: replay.path, reason: Replay.describe(replay)}}

  defp reason(:not_repeatable), do: "the run goes another way when it is repeated"
  defp reason(:no_failure_of_the_run), do: "it does not fail by what it does, but by the time that it takes"
  defp reason(posix), do: "the file cannot be written: #{:file.format_error(posix)}"

  defp describe(replay, shrunk) do
    changed = if replay.divergence, do: Replay.describe(replay) <> "\n\n", else: ""

    "#{changed}shrunk from #{counts(shrunk.before)} to #{counts(shrunk.after)}, in #{Time.count(shrunk.replays, "replay")}; " <>
      "`mix lockstep.trace` shows it."
  end

  defp counts(counts) do
    [faults: "fault", stalls: "stall", steps: "step"]
    |> Enum.map(fn {key, noun} -> Time.count(Map.get(counts, key, 0), noun) end)
    |> List.insert_at(2, switches(Map.get(counts, :switches, 0)))
    |> Enum.join(", ")
  end

  defp switches(1), do: "1 switch"
  defp switches(count), do: "#{Time.digits(count)} switches"
end
