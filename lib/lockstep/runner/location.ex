defmodule Lockstep.Runner.Location do
  @moduledoc false
  # Where a run was asked for, and so the line that replays it.

  alias Lockstep.Report.Stack
  alias Lockstep.Runner.Strategies

  @language [:elixir, :ex_unit, :iex, :kernel, :mix, :stdlib]

  @type t :: %{
          file: String.t(),
          line: pos_integer(),
          module: module() | nil,
          test: atom() | nil
        }

  @doc "The location of a test, from the context that ExUnit gives it."
  @spec from_context(map()) :: t()
  def from_context(context) do
    %{file: relative(context.file), line: context.line, module: context.module, test: context.test}
  end

  @doc """
  The location of the caller: the test in which the run was asked for, or else the nearest code with a file.

  A test's frame is that of a function of one argument, called `test ...` as ExUnit does.
  """
  @spec from_stacktrace(Exception.stacktrace()) :: t() | nil
  def from_stacktrace(trace) do
    frames = trace |> Stack.prune() |> Enum.filter(&located?/1)

    case Enum.find(frames, &test?/1) || List.first(frames) do
      nil -> nil
      {module, function, _arity, place} = frame -> location(module, if(test?(frame), do: function), place)
    end
  end

  @doc "The one line that replays `seed`, with the strategy if that is needed."
  @spec replay_line(t() | nil, non_neg_integer(), Strategies.asked() | nil) :: String.t()
  def replay_line(location, seed, strategy) do
    variables =
      "LOCKSTEP_SEED=#{seed}" <> if(strategy, do: " LOCKSTEP_STRATEGY=#{Strategies.variable(strategy)}", else: "")

    cond do
      location && (location.test || String.ends_with?(location.file, "_test.exs")) ->
        "#{variables} mix test #{location.file}:#{location.line}"

      location ->
        "#{variables} for the call at #{location.file}:#{location.line}, or #{call(seed, strategy)}"

      true ->
        "#{variables} in the environment, or #{call(seed, strategy)}"
    end
  end

  @doc "The one line that replays the failure stored in a file."
  @spec replay_file_line(t() | nil, Path.t()) :: String.t()
  def replay_file_line(location, path) do
    if location && (location.test || String.ends_with?(location.file, "_test.exs")),
      do: "LOCKSTEP_REPLAY=#{quoted(path)} mix test #{location.file}:#{location.line}",
      else: "LOCKSTEP_REPLAY=#{path} in the environment, or Lockstep.Runner.run(fun, replay: #{inspect(path)})"
  end

  # For a shell.
  defp quoted(path), do: if(path =~ ~r{^[\w./@%+=:,-]+$}, do: path, else: "'#{String.replace(path, "'", "'\\''")}'")

  defp call(seed, nil), do: "Lockstep.Runner.run(fun, seed: #{seed})"
  defp call(seed, strategy), do: "Lockstep.Runner.run(fun, seed: #{seed}, strategy: #{inspect(strategy)})"

  # Code of the language itself, such as what evaluates a script, is not what the user wants to see.
  defp located?({module, _function, _arity, place}) do
    place[:file] != nil and place[:line] not in [nil, 0] and Application.get_application(module) not in @language
  end

  defp located?(_frame), do: false

  defp test?({_module, function, 1, _place}), do: function |> Atom.to_string() |> String.starts_with?("test ")
  defp test?(_frame), do: false

  defp location(module, test, place) do
    %{file: relative(to_string(place[:file])), line: place[:line], module: module, test: test}
  end

  defp relative(file), do: Path.relative_to_cwd(file)
end
