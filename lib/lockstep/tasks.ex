defmodule Lockstep.Tasks do
  @moduledoc false
  # What the Mix tasks share: their arguments, the environment that tests run in, and how they say that something is wrong.

  alias Lockstep.Failures
  alias Lockstep.Tasks.TestFinder

  @doc "The options and arguments of `task`; `--help` shows its documentation and ends here."
  @spec parse(module(), [String.t()], keyword()) :: {:ok, keyword(), [String.t()]} | :help
  def parse(task, argv, switches) do
    case OptionParser.parse(argv, strict: [help: :boolean] ++ switches, aliases: [h: :help]) do
      {options, arguments, []} ->
        if options[:help], do: help(task), else: {:ok, options, arguments}

      {_options, _arguments, [{switch, nil} | _]} ->
        wrong_use(task, "#{switch} is no option, or its value is missing")

      {_options, _arguments, [{switch, value} | _]} ->
        wrong_use(task, "#{switch} does not take #{inspect(value)}")
    end
  end

  defp help(task) do
    Mix.Task.run("help", [Mix.Task.task_name(task)])
    :help
  end

  @doc "Ends the task: it has been called in the wrong way."
  @spec wrong_use(module(), String.t()) :: no_return()
  def wrong_use(task, text), do: Mix.raise("#{text}; see mix #{Mix.Task.task_name(task)} --help")

  @doc "Reads a stored failure, or ends the task."
  @spec read!(Path.t()) :: Failures.Stored.t()
  def read!(path) do
    case Failures.read(path) do
      {:ok, stored} -> stored
      {:error, text} -> Mix.raise(one_line(text))
    end
  end

  @doc "Without what would break a line: names of files may contain anything."
  @spec one_line(String.t()) :: String.t()
  def one_line(text), do: String.replace(text, ~r/[\x00-\x1f\x7f]+/, " ")

  @doc """
  The environment in which the tests of the project run.

  Tasks of a dependency run in the development environment unless they are told otherwise.
  """
  @spec environment() :: atom()
  def environment, do: if(Mix.env() == :dev and System.get_env("MIX_ENV") in [nil, ""], do: :test, else: Mix.env())

  @doc "Where the tests of the project store their failures; `nil` if they do not."
  @spec directory() :: Path.t() | nil
  def directory do
    case System.get_env("LOCKSTEP_FAILURES", "") do
      "" -> Mix.Project.build_path() |> for_environment() |> Failures.directory_in() |> Path.relative_to_cwd()
      "false" -> nil
      path -> path
    end
  end

  defp for_environment(build) do
    name = Path.basename(build)
    suffix = Atom.to_string(Mix.env())
    same = String.replace_suffix(name, suffix, Atom.to_string(environment()))
    Path.join(Path.dirname(build), same)
  end

  @doc "Runs the test of the failure in `file` with `variable` set to it."
  @spec run_stored(Path.t(), String.t(), [String.t()]) :: :ok
  def run_stored(file, variable, more \\ []) do
    stored = read!(file)
    check_app(stored)

    case TestFinder.arguments(stored, Path.wildcard("test/**/*_test.exs")) do
      {:ok, arguments, note} ->
        if note, do: Mix.shell().info(one_line(note))
        mix_test([{variable, file}], more ++ arguments)

      {:error, text} ->
        Mix.raise(one_line("#{file}: #{text}"))
    end
  end

  # The applications of an umbrella project share a build.
  defp check_app(stored) do
    app = Mix.Project.config()[:app]

    if stored.app && stored.app != to_string(app) do
      Mix.raise("that is a failure of the application #{one_line(stored.app)}; run this in its directory")
    end
  end

  @doc """
  Runs `mix test` with these variables and arguments, and ends the task as that ends.

  The tests have the terminal as if they had been called there, colours and width included.
  """
  @spec mix_test([{String.t(), String.t()}], [String.t()]) :: :ok
  def mix_test(variables, arguments) do
    mix = System.find_executable("mix") || Mix.raise("there is no `mix` in the PATH")
    variables = [{"MIX_ENV", Atom.to_string(environment())} | variables]
    Mix.shell().info(line(variables, arguments))

    port =
      Port.open({:spawn_executable, mix}, [
        :nouse_stdio,
        :exit_status,
        args: ["test" | arguments],
        env: for({name, value} <- variables, do: {String.to_charlist(name), String.to_charlist(value)})
      ])

    receive do
      {^port, {:exit_status, 0}} -> :ok
      {^port, {:exit_status, status}} -> exit({:shutdown, status})
    end
  end

  defp line(variables, arguments) do
    Enum.join(for({name, value} <- variables, do: "#{name}=#{value}") ++ ["mix test" | arguments], " ")
  end
end
