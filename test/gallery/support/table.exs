defmodule Gallery.Table do
  @moduledoc """
  What was found, for a terminal and for `docs/gallery.md`.

  A row is `%{program: description, found: [{strategy, summary}], twin: runs | :failed | nil}`.
  """

  alias Lockstep.Options.Type

  @file_name "docs/gallery.md"
  @begin "<!-- the table: mix lockstep.gallery --markdown -->"
  @end_ "<!-- end of the table -->"

  @doc "The first line of what is printed, and how wide its columns are."
  @spec header([term()]) :: String.t()
  def header(strategies), do: line("program", Enum.map(strategies, &name/1), "twin")

  @doc "The line of one program."
  @spec row(map()) :: String.t()
  def row(row),
    do: line(row.program.name, Enum.map(row.found, fn {_, summary} -> figures(summary) end), twin(row.twin))

  defp line(name, cells, twin) do
    cells = Enum.map_join(cells, &String.pad_leading(&1, 20))
    String.trim_trailing(String.pad_trailing(name, 34) <> cells <> "  " <> twin)
  end

  @doc "What all rows come to, for each strategy."
  @spec totals([map()], [term()]) :: String.t()
  def totals(rows, strategies) do
    Enum.map_join(strategies, "\n", fn strategy ->
      summaries = for row <- rows, {^strategy, summary} <- row.found, do: summary
      always = Enum.count(summaries, &(&1.missed == 0))
      soon = Enum.count(summaries, &(&1.median < 20))

      "#{name(strategy)}: of #{length(rows)} bugs #{always} found in every sweep, #{soon} with a median under 20 runs"
    end)
  end

  @doc "Writes the table into the documentation, between its two markers."
  @spec write!([map()], [term()], String.t(), Path.t()) :: :ok
  def write!(rows, strategies, head, file \\ @file_name) do
    [before, rest] = file |> File.read!() |> String.split(@begin)
    [_old, behind] = String.split(rest, @end_)
    table = Enum.join([@begin, head, totals_in_markdown(rows, strategies), tables(rows, strategies), @end_], "\n\n")
    File.write!(file, before <> table <> behind)
  end

  defp totals_in_markdown(rows, strategies) do
    rows |> totals(strategies) |> String.split("\n") |> Enum.map_join("\n", &("- " <> &1))
  end

  defp tables(rows, strategies) do
    for {kind, heading} <- Gallery.Program.kinds(),
        mine = Enum.filter(rows, &(&1.program.kind == kind)),
        mine != [] do
      "### #{heading}\n\n" <> table(mine, strategies)
    end
    |> Enum.join("\n\n")
  end

  defp table(rows, strategies) do
    columns = ["program", "what goes wrong"] ++ Enum.map(strategies, &"`#{name(&1)}`") ++ ["twin"]
    lines = [columns, Enum.map(columns, fn _ -> "---" end) | Enum.map(rows, &cells/1)]
    Enum.map_join(lines, "\n", &("| " <> Enum.join(&1, " | ") <> " |"))
  end

  defp cells(row) do
    figures = Enum.map(row.found, fn {_strategy, summary} -> figures(summary) end)
    ["`#{row.program.name}`", row.program.bug] ++ figures ++ [twin(row.twin)]
  end

  defp figures(%{median: median, worst: worst, missed: 0}), do: "#{median} / #{worst}"
  defp figures(%{median: median, missed: missed}), do: "#{median} / none (#{missed})"

  defp twin(nil), do: ""
  defp twin(:failed), do: "FAILED"
  defp twin(runs), do: "clean, #{runs |> Type.digits() |> String.replace("_", ",")}"

  defp name(strategy) when is_atom(strategy), do: Atom.to_string(strategy)
  defp name({name, number}), do: "#{name}:#{number}"
end
