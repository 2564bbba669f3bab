defmodule Lockstep.Report.Table do
  @moduledoc false
  # A plain text table.

  alias Lockstep.Report.{Layout, Width}

  @gap " | "

  @doc "A table with a header, at most `width` wide where that is possible; cells may hold several lines."
  @spec format([String.t()], [[String.t()]], pos_integer()) :: String.t()
  def format(header, rows, width) do
    widths = widths([header | rows], width - String.length(@gap) * (length(header) - 1))

    [line(header, widths), rule(widths) | Enum.map(rows, &line(&1, widths))]
    |> Enum.join("\n")
  end

  defp widths(rows, available) do
    rows
    |> Enum.zip_with(fn cells -> cells |> Enum.map(&need/1) |> Enum.max() end)
    |> Layout.fit(available)
  end

  defp need(cell), do: cell |> String.split("\n") |> Enum.map(&Width.of/1) |> Enum.max()

  @doc "One row: cells wrapped to `widths` and set side by side."
  @spec line([String.t()], [pos_integer()], pos_integer() | :infinity) :: String.t()
  def line(cells, widths, max_lines \\ :infinity) do
    columns = Enum.zip_with(cells, widths, &Layout.wrap(&1, &2, max_lines))
    height = columns |> Enum.map(&length/1) |> Enum.max()

    Enum.map_join(0..(height - 1), "\n", fn index ->
      columns
      |> Enum.zip_with(widths, &Width.pad(Enum.at(&1, index) || "", &2))
      |> Enum.join(@gap)
      |> String.trim_trailing()
    end)
  end

  @doc "The line below a header."
  @spec rule([pos_integer()]) :: String.t()
  def rule(widths), do: Enum.map_join(widths, "-+-", &String.duplicate("-", &1))
end
