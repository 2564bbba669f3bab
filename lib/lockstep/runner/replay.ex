defmodule Lockstep.Runner.Replay do
  @moduledoc false
  # One run with the choices of a stored failure, compared with what was recorded.
  #
  # Where the code has changed, the choices are followed as far as they fit, so that the run comes to an end and it can be
  # said whether the failure still occurs.

  alias Lockstep.{Failure, Failures, OptionError, Simulation, Summary, Trace}
  alias Lockstep.Failures.{Origin, RunOptions, Stored}
  alias Lockstep.Report.{Layout, Output, Time}
  alias Lockstep.Runner.{Divergence, Location, Smaller, Sweep, Terminal, TraceFile}

  @enforce_keys [:path, :stored]
  defstruct @enforce_keys ++ [:divergence, :ending]

  @typedoc "A replay: where it left the recorded path, if it did, and how it ended compared with the failure stored."
  @type t :: %__MODULE__{
          path: Path.t(),
          stored: Stored.t(),
          divergence: Divergence.t() | nil,
          ending: :same | :other | :passed
        }

  @doc "Replays the failure that the option `replay:` names."
  @spec run((... -> term()), Lockstep.Options.t(), Location.t() | nil) ::
          {:ok, Summary.t()} | {:failed, Exception.t()}
  def run(fun, %{replay: path} = options, location) do
    source = if :replay in options.overridden, do: "LOCKSTEP_REPLAY"

    with {:ok, stored} <- Failures.read(path),
         :replay <- if(source, do: meant(stored, location), else: :replay) do
      {replay, result} = replay(fun, options, location, %__MODULE__{path: path, stored: stored})
      finish(replay, result, location)
    else
      :other_call -> Sweep.run(fun, %{options | replay: nil}, location)
      {:error, text} -> {:failed, %OptionError{option: :replay, value: path, expected: text, source: source}}
    end
  end

  @doc "Replays the failure that `LOCKSTEP_SHRINK` names, and stores a smaller run that fails in the same way."
  @spec shrink((... -> term()), Lockstep.Options.t(), Location.t() | nil) ::
          {:ok, Summary.t()} | {:failed, Exception.t()}
  def shrink(fun, %{shrink_file: path} = options, location) do
    with {:ok, stored} <- Failures.read(path), :replay <- meant(stored, location) do
      {replay, result} = replay(fun, options, location, %__MODULE__{path: path, stored: stored})
      Smaller.store(fun, config(options, stored), replay, result, location)
    else
      :other_call ->
        Sweep.run(fun, %{options | shrink_file: nil}, location)

      {:error, text} ->
        {:failed, %OptionError{option: :shrink, value: path, expected: text, source: "LOCKSTEP_SHRINK"}}
    end
  end

  # With the variable set, every test that runs sees it.
  defp meant(%Stored{test: test}, location) do
    cond do
      same_place?(test, location) -> :replay
      same_test?(test, location) -> if(test.call == location[:call], do: :replay, else: :other_call)
      true -> {:error, not_meant(test, location)}
    end
  end

  defp same_place?(nil, nil), do: true
  defp same_place?(%{file: file, line: line}, %{file: file, line: line}), do: true
  defp same_place?(_test, _location), do: false

  defp same_test?(%{name: name}, %{test: test}) when name != nil and test != nil, do: to_string(test) == name
  defp same_test?(_test, _location), do: false

  defp not_meant(test, location) do
    here = location && %{file: location.file, line: location.line, name: location.test && to_string(location.test)}

    "it holds a failure of #{Stored.title(test)}, and this is #{Stored.title(here)}; `mix lockstep.replay` runs the one " <>
      "test that is meant; if this one is, under another name, add the option replay: to it"
  end

  defp replay(fun, options, location, %{stored: stored} = replay) do
    result = Simulation.run(fun, config(options, stored))
    TraceFile.write!(options.trace, false, stored.seed, result.trace)
    divergence = divergence(stored.trace, result.trace, names(stored, location))
    replay = %{replay | divergence: divergence, ending: ending(stored, result, location)}
    {replay, result}
  end

  defp finish(replay, %{outcome: :ok} = result, _location) do
    Output.print(result.output)
    say(replay.path, describe(replay))
    {:ok, summary(result, replay.stored)}
  end

  defp finish(replay, %{outcome: {:error, error}} = result, location) do
    {:failed, failure(error, result, location, replay)}
  end

  @doc "Prints what became of a file."
  @spec say(Path.t(), String.t()) :: :ok
  def say(path, text), do: IO.puts("\nlockstep: #{path}\n" <> Layout.paragraphs(text, Terminal.width()))

  defp config(options, stored) do
    told = Map.new([strategy: {:follow, stored.choices}] ++ RunOptions.to_run(stored.options))
    options |> Map.merge(told) |> Simulation.config(stored.seed, true)
  end

  defp names(%{test: %{name: name}}, %{test: test}) when name != nil and test != nil, do: {name, to_string(test)}
  defp names(_stored, _location), do: nil

  defp divergence(nil, _trace, _names), do: nil

  defp divergence(recorded, met, names) do
    with {:ok, recorded} <- Trace.decode(recorded), {:ok, met} <- Trace.decode(met) do
      Divergence.between(recorded, met, names)
    else
      # Written by another version of Lockstep, or more than this one reads.
      :error -> nil
    end
  end

  # Lines move when code changes.
  defp ending(_stored, %{outcome: :ok}, _location), do: :passed

  defp ending(stored, %{outcome: {:error, error}}, location) do
    %{kind: kind, name: name} = Origin.error(error, location)
    if {kind, name} == {stored.error.kind, stored.error.name}, do: :same, else: :other
  end

  defp failure(error, result, location, %{stored: stored} = replay) do
    %Failure{
      seed: stored.seed,
      run: 1,
      strategy: {:replay, stored.choices},
      error: error,
      result: result,
      summary: summary(result, stored),
      location: location,
      replay: Location.replay_file_line(location, replay.path),
      file: replay.path,
      replayed: replay
    }
  end

  @doc "What a sweep of this one run would say."
  @spec summary(Simulation.Result.t(), Stored.t()) :: Summary.t()
  def summary(result, stored) do
    %Summary{
      runs: 1,
      total: 1,
      steps: result.steps,
      distinct: 1,
      virtual_ms: result.virtual_ms,
      strategy: {:replay, stored.choices},
      seeds: [stored.seed],
      escapes: Map.new(result.escapes)
    }
  end

  @doc "How the replay went, in words."
  @spec describe(t()) :: String.t()
  def describe(%__MODULE__{divergence: nil} = replay) do
    "the replay took #{path(replay.stored)}, and #{ending(replay)}."
  end

  def describe(%__MODULE__{divergence: divergence} = replay) do
    "the replay left the recorded path at step #{Time.digits(divergence.step)}:\n\n" <>
      Divergence.describe(divergence) <>
      "\n\nThe code has changed since it was recorded, or something has that is not under control. From there on the " <>
      "recorded choices were followed as far as they fit, and #{ending(replay)}."
  end

  defp path(%{trace: nil}), do: "the recorded choices (its events were too many to be stored, and are not compared)"
  defp path(stored), do: "the recorded path, #{Time.count(stored.steps, "step")}"

  defp ending(%{ending: :same}), do: "the failure still occurs"

  defp ending(%{ending: :other, stored: stored}),
    do: "the run fails, but not as it did then, which was: #{Stored.headline(stored.error)}"

  defp ending(%{ending: :passed, stored: stored}) do
    "the failure (#{Stored.headline(stored.error)}) does not occur any more; whether it does on other paths, a sweep says"
  end
end
