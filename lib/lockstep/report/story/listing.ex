defmodule Lockstep.Report.Story.Listing do
  @moduledoc false
  # A story as a list: the process and what it did.

  alias Lockstep.Report.{Colour, Names, Table, Width}
  alias Lockstep.Report.Story.Margin

  @cell_lines 4

  @doc "The lines of the list."
  @spec lines([map()], Names.names(), pos_integer()) :: [String.t()]
  def lines(rows, names, width) do
    margin = Margin.of(rows)
    widths = widths(rows, names, width - margin.width)
    head = Colour.paint(:bright, Margin.beside(Margin.head(margin), "process"))
    body = Margin.map(rows, fn row, left -> line(row, left, names, widths, width - margin.width - 3) end)
    [head, Table.rule([margin.width | widths]) | body]
  end

  defp widths(rows, names, width) do
    actor = rows |> Enum.map(&Width.of(actor(&1, names))) |> Enum.max() |> max(7) |> min(div(width, 4))
    [actor, width - actor - 6]
  end

  defp line(%{process: nil} = row, left, _names, _widths, width), do: Margin.across(row, left, width)

  defp line(row, left, names, widths, _width) do
    left
    |> Margin.beside(Table.line([actor(row, names), Margin.with_place(row)], widths, @cell_lines))
    |> Margin.paint(row)
  end

  defp actor(%{process: nil}, _names), do: ""
  defp actor(%{process: id}, names), do: Map.get(names, id, "##{id}")
end
