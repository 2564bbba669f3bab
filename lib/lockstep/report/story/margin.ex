defmodule Lockstep.Report.Story.Margin do
  @moduledoc false
  # What stands left of a story, and what all its rows have in common: whether a row decides, its step, and the virtual
  # time where that changes.

  alias Lockstep.Report.{Colour, Layout, Time, Width}

  @across_lines 3

  @type t :: %{mark: 0 | 2, step: pos_integer(), time: non_neg_integer(), width: pos_integer()}

  @doc "The margin that `rows` need. Without any time passing there is none to show."
  @spec of([map()]) :: t()
  def of(rows) do
    mark = if Enum.any?(rows, & &1.mark), do: 2, else: 0
    step = rows |> Enum.map(&String.length("#{&1.step}")) |> Enum.max() |> max(4)
    time = time_width(for %{time: time} <- rows, time != nil, do: time)
    %{mark: mark, step: step, time: time, width: mark + step + if(time == 0, do: 0, else: time + 1)}
  end

  defp time_width(times) do
    if Enum.all?(times, &(&1 == 0)),
      do: 0,
      else: times |> Enum.map(&String.length(Time.ms(&1))) |> Enum.max() |> max(2)
  end

  @doc "The margin's part of the header."
  @spec head(t()) :: String.t()
  def head(margin), do: text("", "step", "ms", margin)

  @doc "Makes the lines of each row with `line`, which is given the row and its margin."
  @spec map([map()], (map(), String.t() -> String.t())) :: [String.t()]
  def map(rows, line) do
    margin = of(rows)

    {lines, _time} =
      Enum.map_reduce(rows, nil, fn row, time ->
        {row |> line.(left(row, time, margin)) |> String.split("\n"), row.time || time}
      end)

    List.flatten(lines)
  end

  # The time is printed where it has changed, so that a jump of the clock is seen at a glance.
  defp left(row, time, margin) do
    ms = if row.time in [nil, time], do: "", else: Time.ms(row.time)
    text(if(row.mark, do: ">", else: ""), "#{row.step}", ms, margin)
  end

  defp text(mark, step, time, margin) do
    String.pad_trailing(mark, margin.mark) <>
      String.pad_leading(step, margin.step) <>
      if(margin.time == 0, do: "", else: String.pad_leading(time, margin.time + 1))
  end

  @doc "The lines of `text` to the right of a margin."
  @spec beside(String.t(), String.t()) :: String.t()
  def beside(left, text) do
    [first | more] = String.split(text, "\n")
    blank = String.duplicate(" ", Width.of(left))
    Enum.map_join([left <> " | " <> first | Enum.map(more, &(blank <> " | " <> &1))], "\n", &String.trim_trailing/1)
  end

  @doc "A row that concerns the whole cluster: across all columns."
  @spec across(map(), String.t(), pos_integer()) :: String.t()
  def across(row, left, width) do
    [first | more] = Layout.wrap("== #{with_place(row)} ", width - 3, @across_lines)
    first = if more == [], do: first <> String.duplicate("=", min(20, width - Width.of(first))), else: first
    left |> beside(Enum.join([first | Enum.map(more, &("   " <> &1))], "\n")) |> paint(row, :yellow)
  end

  @doc "The text of a row with its place."
  @spec with_place(map()) :: String.t()
  def with_place(%{place: nil, text: text}), do: text
  def with_place(%{place: place, text: text}), do: "#{text} [#{place}]"

  @doc "The lines of a row with its place beside them, at column `at`."
  @spec with_place_at(String.t(), map(), pos_integer()) :: String.t()
  def with_place_at(lines, %{place: nil}, _at), do: lines

  def with_place_at(lines, %{place: place}, at) do
    [first | more] = String.split(lines, "\n")
    Enum.join([Width.pad(first, at) <> " " <> place | more], "\n")
  end

  @doc "The text of a row with its place, in at most so many lines; where it is shortened the place is still there."
  @spec cell(map(), pos_integer(), pos_integer()) :: String.t()
  def cell(%{place: nil, text: text}, width, max_lines), do: text |> Layout.wrap(width, max_lines) |> Enum.join("\n")

  def cell(row, width, max_lines) do
    lines = Layout.wrap(with_place(row), width, :infinity)
    if length(lines) <= max_lines, do: Enum.join(lines, "\n"), else: shortened(row, width, max_lines)
  end

  defp shortened(%{text: text, place: place}, width, max_lines) do
    {lines, rest} = text |> Layout.wrap(width, :infinity) |> Enum.split(max_lines - 1)
    room = max(width - Width.of(place) - 3, 5)
    last = rest |> Enum.take(2) |> Enum.join(" ") |> Layout.wrap(room, 1)
    Enum.join(lines ++ ["#{last} [#{place}]"], "\n")
  end

  @doc "The lines of a row in its colour: bright if it decides, red if it is the failure."
  @spec paint(String.t(), map(), atom()) :: String.t()
  def paint(lines, row, style \\ nil) do
    case if(row.fails, do: :red, else: if(row.mark, do: :bright, else: style)) do
      nil -> lines
      style -> lines |> String.split("\n") |> Enum.map_join("\n", &Colour.paint(style, &1))
    end
  end
end
