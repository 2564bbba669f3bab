defmodule Lockstep.Failures.Origin do
  @moduledoc false
  # Makes what is stored from a failure that has just happened.

  alias Lockstep.{Failure, Options}
  alias Lockstep.Failures.Stored
  alias Lockstep.Report.{Stack, UserError}
  alias Lockstep.Runner.Strategies

  @compile {:no_warn_undefined, [Mix.Project]}

  # Columns of the error's text.
  @width 100
  @colours ~r/\e\[[0-9;]*m/

  @doc "Whether this VM works for a Mix project, as it does in `mix test`."
  @spec project?() :: boolean()
  def project?, do: Process.whereis(Mix.ProjectStack) != nil and Mix.Project.get() != nil

  @doc "The application of the project."
  @spec app() :: String.t() | nil
  def app do
    app = if project?(), do: Mix.Project.config()[:app]
    app && to_string(app)
  end

  @doc "What is stored of a failure of a run with these options."
  @spec stored(Failure.t(), Options.t()) :: Stored.t()
  def stored(%Failure{} = failure, options) do
    shrunk = Map.get(failure, :shrunk)
    result = if shrunk, do: shrunk.result, else: failure.result

    %Stored{
      lockstep: version(),
      app: app(),
      test: test(failure.location),
      seed: failure.seed,
      run: failure.run,
      total: failure.summary.total,
      strategy: Strategies.describe(failure.strategy, failure.chosen),
      options: options |> Map.take(Options.of_run()) |> Enum.to_list(),
      choices: result.choices,
      error: error(error_of(shrunk, failure), failure.location),
      steps: result.steps,
      virtual_ms: result.virtual_ms,
      trace: result.trace,
      shrunk: shrunk && shrunk(shrunk),
      replay: failure.replay
    }
  end

  @doc "A stored failure with a smaller run in the place of its own."
  @spec smaller(Stored.t(), Lockstep.Shrink.t(), map() | nil) :: Stored.t()
  def smaller(%Stored{} = stored, %Lockstep.Shrink{result: result} = shrunk, location) do
    {:error, error} = result.outcome
    now = shrunk(shrunk)
    earlier = stored.shrunk || %{replays: 0, before: now.before}

    %{
      stored
      | choices: result.choices,
        trace: result.trace,
        steps: result.steps,
        virtual_ms: result.virtual_ms,
        error: error(error, location),
        shrunk: %{now | replays: now.replays + earlier.replays, before: earlier.before}
    }
  end

  # The same error, with the values of the smaller run.
  defp error_of(%{result: %{outcome: {:error, error}}}, _failure), do: error
  defp error_of(nil, failure), do: failure.error

  defp shrunk(shrunk) do
    %{replays: shrunk.replays, before: counts(shrunk.before), after: counts(shrunk.after), pair: pair(shrunk.pair)}
  end

  defp counts(counts), do: Map.new([:faults, :stalls, :switches, :steps], &{&1, Map.get(counts, &1, 0)})

  defp pair(nil), do: nil
  defp pair({earlier, later}), do: %{earlier: earlier.step, later: later.step}

  defp version, do: to_string(Application.spec(:lockstep, :vsn) || "unknown")

  defp test(nil), do: nil

  defp test(location) do
    %{
      file: location.file,
      line: location.line,
      module: location.module && inspect(location.module),
      name: location.test && to_string(location.test),
      call: location[:call]
    }
  end

  @doc "An error as it is stored: its kind, its name, where it was raised, and its text."
  @spec error(term(), map() | nil) :: Stored.error()
  def error(error, location) do
    {kind, name, place} = signature(error)
    text = error |> UserError.format(location, @width) |> String.replace(@colours, "")
    %{kind: kind, name: name, file: place && place.file, line: place && place.line, text: valid(text)}
  end

  defp signature({:crash, kind, reason, trace}) do
    name = with %module{} <- Exception.normalize(kind, reason, trace), do: inspect(module), else: (_ -> nil)
    {to_string(kind), name, trace |> Stack.prune() |> Enum.find_value(&place/1)}
  end

  defp signature(%module{}), do: {"run", inspect(module), nil}

  defp place({_module, _function, _arity, location}) do
    if location[:line] not in [nil, 0] do
      %{file: location[:file] |> to_string() |> Path.relative_to_cwd(), line: location[:line]}
    end
  end

  defp place(_frame), do: nil

  # What a program raises may say anything.
  defp valid(text), do: if(String.valid?(text), do: text, else: inspect(text))
end
