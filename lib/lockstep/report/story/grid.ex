defmodule Lockstep.Report.Story.Grid do
  @moduledoc false
  # A story as a table with one column a process.

  alias Lockstep.Report.{Colour, Layout, Names, Table, Width}
  alias Lockstep.Report.Story.{Columns, Margin}

  @cell_lines 4

  @doc "The lines of the table."
  @spec lines([map()], Columns.columns(), pos_integer()) :: [String.t()]
  def lines(rows, columns, width) do
    margin = Margin.of(rows)

    header(columns, margin) ++
      Margin.map(rows, fn row, left -> line(row, left, columns, width - margin.width - 3) end)
  end

  defp header(columns, margin) do
    widths = widths(columns)

    titles =
      Margin.beside(
        Margin.head(margin),
        Table.line(Enum.map(columns.processes, &Names.fit(&1.title, &1.width)), widths, 1)
      )

    nodes(columns, margin) ++ [Colour.paint(:bright, titles), Table.rule([margin.width | widths])]
  end

  # Each node's name stands over the columns of its processes.
  defp nodes(%{nodes: [_one]}, _margin), do: []

  defp nodes(%{nodes: nodes}, margin) do
    cells = for {node, width} <- nodes, do: node |> Layout.wrap(width, 1) |> hd() |> Width.pad(width)
    line = String.duplicate(" ", margin.width) <> " | " <> Enum.join(cells, " | ")
    [Colour.paint(:bright, String.trim_trailing(line))]
  end

  defp line(%{process: nil} = row, left, _columns, width), do: Margin.across(row, left, width)

  defp line(row, left, columns, _width) do
    cells =
      for column <- columns.processes,
          do: if(column.id == row.process, do: cell(row, columns, column.width), else: "")

    left
    |> Margin.beside(Table.line(cells, widths(columns), @cell_lines))
    |> with_place(row, columns)
    |> Margin.paint(row)
  end

  defp cell(row, %{place: nil}, width), do: Margin.cell(row, width, @cell_lines)
  defp cell(row, _columns, _width), do: row.text

  defp with_place(lines, _row, %{place: nil}), do: lines
  defp with_place(lines, row, %{place: {at, _width}}), do: Margin.with_place_at(lines, row, at)

  defp widths(columns), do: Enum.map(columns.processes, & &1.width)
end
