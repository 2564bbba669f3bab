defmodule Lockstep.Report.UserError do
  @moduledoc false
  # The error that failed a run, as the user's own test would have shown it: by ExUnit's formatter where ExUnit is
  # there (assertion, code, diff), and otherwise as Elixir prints an uncaught error.

  alias Lockstep.Report.{Colour, Layout, Stack}

  # Tools of ExUnit are used where the user's project has them; Lockstep itself does not need them.
  @compile {:no_warn_undefined, [ExUnit.Formatter, Inspect.Algebra]}

  @padding 5

  @doc "The text of the error, at most `width` wide where the formatter decides on line breaks."
  @spec format(term(), map() | nil, pos_integer()) :: String.t()
  def format({:crash, kind, reason, trace}, location, width) do
    trace = Stack.prune(trace)
    reason = Exception.normalize(kind, reason, trace)

    if Code.ensure_loaded?(ExUnit.Formatter) do
      by_ex_unit(kind, reason, trace, location, width)
    else
      Exception.format(kind, reason, trace)
    end
  end

  def format(%Lockstep.Failures.StoredError{text: text}, _location, _width), do: text

  def format(%Lockstep.DeadlockError{} = error, _location, width) do
    banner(error, Lockstep.DeadlockError.message(error, width), width)
  end

  def format(error, _location, width), do: banner(error, Exception.message(error), width)

  defp banner(%module{}, message, width) do
    [first | more] = String.split("** (#{inspect(module)}) #{message}", "\n\n", parts: 2)

    [Colour.paint(:red, Layout.paragraphs(first, width)) | Enum.map(more, &Layout.paragraphs(&1, width))]
    |> Enum.join("\n\n")
  end

  defp by_ex_unit(kind, reason, trace, location, width) do
    test = as_test(location)

    test
    |> ExUnit.Formatter.format_test_failure([{kind, reason, trace}], 1, width + @padding, &colour/2)
    |> String.split("\n")
    |> Enum.drop(heading_lines(test))
    |> Enum.map_join("\n", &outdent/1)
    |> String.trim_trailing()
  end

  # The formatter marks the frame of the test and reads the failing line of code from it.
  defp as_test(location) do
    module = location[:module] || Lockstep
    tags = %{file: location[:file] || "nofile", line: location[:line] || 0}
    struct!(ExUnit.Test, name: location[:test] || :run, module: module, case: module, tags: tags)
  end

  # The name of the test, and where it is.
  defp heading_lines(test), do: 2 + (test.name |> Atom.to_string() |> String.graphemes() |> Enum.count(&(&1 == "\n")))

  defp outdent(line), do: String.replace_prefix(line, String.duplicate(" ", @padding), "")

  defp colour(:diff_enabled?, _default), do: Colour.enabled?()
  defp colour(:error_info, text), do: Colour.paint(:red, text)
  defp colour(:extra_info, text), do: Colour.paint(:cyan, text)
  defp colour(:location_info, text), do: Colour.paint([:bright, :black], text)

  defp colour(:blame_diff, text) do
    if Colour.enabled?(), do: Colour.paint(:red, text), else: "-" <> text <> "-"
  end

  defp colour(key, doc) when key in [:diff_delete, :diff_delete_whitespace, :diff_insert, :diff_insert_whitespace] do
    if Colour.enabled?(), do: colour_doc(doc, key), else: doc
  end

  defp colour(_key, text), do: text

  defp colour_doc(doc, key) do
    colours = [
      diff_delete: :red,
      diff_delete_whitespace: IO.ANSI.color_background(2, 0, 0),
      diff_insert: :green,
      diff_insert_whitespace: IO.ANSI.color_background(0, 2, 0)
    ]

    # The function was renamed in Elixir 1.18.
    name = if function_exported?(Inspect.Algebra, :color_doc, 3), do: :color_doc, else: :color
    apply(Inspect.Algebra, name, [doc, key, %Inspect.Opts{syntax_colors: colours}])
  end
end
