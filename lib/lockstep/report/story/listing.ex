defmodule Lockstep.Report.Story.Listing do
  @moduledoc false
  # A story as a list: the process and what it did.

  alias Lockstep.Report.{Colour, Names, Table, Width}
  alias Lockstep.Report.Story.Margin

  @cell_lines 2
  # So wide a terminal has room for the places beside the texts.
  @wide 110

  @doc "The lines of the list."
  @spec lines([map()], Names.names(), pos_integer()) :: [String.t()]
  def lines(rows, names, width) do
    margin = Margin.of(rows)
    limit = div(width, 4)
    actor = rows |> Enum.map(&Width.of(actor(&1, names, limit))) |> Enum.max() |> max(7) |> min(limit)
    places = if width >= @wide, do: rows |> Enum.map(&Width.of(&1.place || "")) |> Enum.max(), else: 0
    text = width - margin.width - 6 - actor - places - min(places, 1)
    head = Colour.paint(:bright, Margin.beside(Margin.head(margin), "process"))

    body =
      Margin.map(rows, fn row, left -> line(row, left, names, {actor, text, places}, width - margin.width - 3) end)

    [head, Table.rule([margin.width, actor, text]) | body]
  end

  defp line(%{process: nil} = row, left, _names, _widths, width), do: Margin.across(row, left, width)

  defp line(row, left, names, {actor, text, 0}, _width) do
    cells = [actor(row, names, actor), Margin.cell(row, text, @cell_lines)]
    left |> Margin.beside(Table.line(cells, [actor, text], @cell_lines)) |> Margin.paint(row)
  end

  defp line(row, left, names, {actor, text, _places}, _width) do
    cells = [actor(row, names, actor), row.text]

    left
    |> Margin.beside(Table.line(cells, [actor, text], @cell_lines))
    |> Margin.with_place_at(row, Width.of(left) + 6 + actor + text)
    |> Margin.paint(row)
  end

  defp actor(row, names, width), do: row |> actor(names) |> Names.fit(width)

  defp actor(%{process: nil}, _names), do: ""
  defp actor(%{process: id}, names), do: Map.get(names, id, "##{id}")
end
