defmodule Lockstep.Tasks.TestFinder do
  @moduledoc false
  # Where the test of a stored failure stands today: it may have been renamed, or moved, since.
  #
  # The name counts more than the line, which changes with every edit above. The sources are read and not run, so tests
  # whose names are made while they are compiled are left to `mix test` itself.

  alias Lockstep.Failures.Stored

  @type found :: %{name: String.t(), line: pos_integer()}

  @doc """
  The arguments of `mix test` that run the test, and what is to be said of it.

  `files` are the test files of the project.
  """
  @spec arguments(Stored.t(), [Path.t()]) :: {:ok, [String.t()], note :: String.t() | nil} | {:error, String.t()}
  def arguments(%Stored{test: %{file: file} = test}, files) do
    if test.name == nil and not String.ends_with?(file, "_test.exs") do
      {:error, not_a_test(test)}
    else
      tests = tests_in(file)
      named(tests, test) || at_line(tests, test) || elsewhere(test, files -- [file]) || generated(test) || gone(test)
    end
  end

  def arguments(%Stored{test: nil}, _files), do: {:error, not_a_test(nil)}

  defp not_a_test(test) do
    "#{Stored.title(test)} is no test that `mix test` could run: set the variable LOCKSTEP_REPLAY to the file and run it " <>
      "as you did, or give the option replay:"
  end

  defp named(tests, test) do
    case Enum.filter(tests, &(&1.name == test.name)) do
      [%{line: line}] -> {:ok, ["#{test.file}:#{line}"], nil}
      _ -> nil
    end
  end

  # A call of the runner stands somewhere in its test.
  defp at_line(tests, %{call: call, line: line} = test) do
    found = tests |> Enum.filter(&(&1.line <= line)) |> List.last()

    if found && (call || found.line == line) do
      {:ok, ["#{test.file}:#{found.line}"], "what was #{inspect(test.name)} is now #{inspect(found.name)}"}
    end
  end

  defp elsewhere(test, files) do
    found = for file <- files, %{name: name, line: line} <- tests_in(file), name == test.name, do: {file, line}
    with [{file, line}] <- found, do: {:ok, ["#{file}:#{line}"], "the test is in #{file} now"}, else: (_ -> nil)
  end

  defp generated(test) do
    with true <- test.name != nil, {:ok, source} <- source(test.file), true <- generates?(source) do
      {:ok, [test.file, "--only", "test:#{test.name}"], nil}
    else
      _ -> nil
    end
  end

  defp gone(test) do
    {:error,
     "#{Stored.title(test)} is not there any more, neither in that file nor under that name in another; if it has been " <>
       "renamed and moved, add the option replay: with this file to it"}
  end

  @doc "The tests in a file whose names are written there, in their order."
  @spec tests_in(Path.t()) :: [found()]
  def tests_in(file) do
    case source(file) do
      {:ok, source} -> source |> collect(nil, []) |> Enum.reverse()
      :error -> []
    end
  end

  defp source(file) do
    with {:ok, text} <- File.read(file),
         {:ok, source} <- Code.string_to_quoted(text),
         do: {:ok, source},
         else: (_ -> :error)
  end

  defp collect({:describe, _, [name, [do: body]]}, _describe, found) when is_binary(name),
    do: collect(body, name, found)

  defp collect({kind, meta, [name | _]}, describe, found) when kind in [:test, :property] and is_binary(name) do
    full = Enum.join([kind, describe, name] |> Enum.reject(&is_nil/1), " ")
    [%{name: full, line: meta[:line]} | found]
  end

  defp collect({form, _, arguments}, describe, found),
    do: collect(arguments, describe, collect(form, describe, found))

  defp collect({left, right}, describe, found), do: collect(right, describe, collect(left, describe, found))
  defp collect(list, describe, found) when is_list(list), do: Enum.reduce(list, found, &collect(&1, describe, &2))
  defp collect(_literal, _describe, found), do: found

  # Whether there are tests with names that are not written as such.
  defp generates?(source) do
    {_, generates?} =
      Macro.prewalk(source, false, fn
        {kind, _, [name | _]} = node, _ when kind in [:test, :property, :describe] and not is_binary(name) ->
          {node, true}

        node, generates? ->
          {node, generates?}
      end)

    generates?
  end
end
