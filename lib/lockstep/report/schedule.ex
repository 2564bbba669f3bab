defmodule Lockstep.Report.Schedule do
  @moduledoc false
  # The schedule of a run as a table with one column a process.
  #
  # A long schedule shows its first and last rows; what matters is nearly always at its end. Where there are more
  # processes than columns fit, those that matter keep theirs and the rest share the column "others".

  alias Lockstep.Report.{Colour, Layout, Names, Table, Time}

  @first_rows 6
  @last_rows 40
  @cell_lines 4
  # A column needs so much if all processes then have one, and so much if some have to share one anyway.
  @min_column 13
  @min_column_beside_others 17
  @gap 3

  @doc """
  The table of `events`, at most `width` wide.

  `focus` are the ids of processes that keep a column of their own in any case.
  """
  @spec format([map()], [map()], pos_integer(), [non_neg_integer()]) :: String.t()
  def format([], _processes, _width, _focus), do: "(no steps)"

  def format(events, processes, width, focus) do
    {first, left_out, last} = select(events)
    shown = first ++ last
    left = left_width(shown)
    columns = columns(shown, Names.build(processes), width - left, focus)
    widths = column_widths(shown, columns, width - left)
    render = &row(&1, columns, widths, left, width)

    [
      header(columns, widths, left),
      rows(first, 0, render),
      gap(left_out, left, width),
      rows(last, last_time(first), render)
    ]
    |> List.flatten()
    |> Enum.join("\n")
  end

  defp select(events) do
    case length(events) - @first_rows - @last_rows do
      left_out when left_out > 1 ->
        {Enum.take(events, @first_rows), left_out, Enum.take(events, -@last_rows)}

      _ ->
        {events, 0, []}
    end
  end

  # The step and the time stand left of the columns: `{width of the step, width of the time}`.
  defp left_width(events), do: step_width(events) + 1 + time_width(events)

  defp step_width(events),
    do: max(4, events |> List.last() |> Map.fetch!(:step) |> Integer.to_string() |> String.length())

  defp time_width(events), do: events |> Enum.map(&String.length(Time.ms(&1.time))) |> Enum.max() |> max(2)

  # A column is `{:process, id, name}` or `{:others, names}`.
  defp columns(events, names, available, focus) do
    active = events |> Enum.map(& &1.process) |> Enum.reject(&is_nil/1) |> Enum.frequencies()
    ids = Enum.sort(Map.keys(active))

    if length(ids) <= div(available, @min_column + @gap) do
      Enum.map(ids, &{:process, &1, name(names, &1)})
    else
      room = max(2, div(available, @min_column_beside_others + @gap))
      kept = ids |> Enum.sort_by(&{&1 not in focus, -active[&1], &1}) |> Enum.take(room - 1) |> Enum.sort()
      Enum.map(kept, &{:process, &1, name(names, &1)}) ++ [{:others, names}]
    end
  end

  defp name(names, id), do: Map.get(names, id, "##{id}")

  defp column_widths(events, columns, available) do
    needs =
      for column <- columns do
        texts = [title(column) | events |> Enum.filter(&belongs?(&1, column, columns)) |> Enum.map(&cell(&1, column))]
        texts |> Enum.map(&String.length/1) |> Enum.max()
      end

    Layout.fit(needs, available - @gap * length(columns))
  end

  defp title({:process, _id, name}), do: name
  defp title({:others, _names}), do: "others"

  defp belongs?(%{process: nil}, _column, _columns), do: false
  defp belongs?(%{process: id}, {:process, id, _name}, _columns), do: true
  defp belongs?(_event, {:process, _id, _name}, _columns), do: false

  defp belongs?(%{process: id}, {:others, _names}, columns), do: not Enum.any?(columns, &match?({_, ^id, _}, &1))

  defp cell(event, {:process, _id, _name}), do: event.text
  defp cell(event, {:others, names}), do: "#{name(names, event.process)}: #{event.text}"

  defp header(columns, widths, left) do
    titles = Table.line(["" | Enum.map(columns, &title/1)], [0 | widths], 1)
    rule = Table.rule([left | widths])
    [Colour.paint(:bright, String.pad_leading("step", 4) <> String.pad_leading("ms", left - 4) <> titles), rule]
  end

  defp rows(events, time, render) do
    {rows, _time} = Enum.map_reduce(events, time, fn event, time -> {render.({event, time}), event.time} end)
    rows
  end

  defp last_time([]), do: 0
  defp last_time(events), do: List.last(events).time

  # The time is printed where it has changed, so that a jump of the clock is seen at a glance.
  defp row({event, time}, columns, widths, left, width) do
    step = event.step |> Integer.to_string() |> String.pad_leading(4)
    ms = if event.time == time and event.step > 1, do: "", else: Time.ms(event.time)
    margin = step <> String.pad_leading(ms, left - String.length(step))

    case event.process do
      nil -> Colour.paint(:yellow, full_row(margin, event.text, width))
      _ -> columns |> cells(event) |> Table.line(widths, @cell_lines) |> beside(margin, left)
    end
  end

  defp cells(columns, event) do
    Enum.map(columns, fn column -> if belongs?(event, column, columns), do: cell(event, column), else: "" end)
  end

  defp beside(text, margin, left) do
    [first | more] = String.split(text, "\n")
    blank = String.duplicate(" ", left)
    Enum.map_join([margin <> " | " <> first | Enum.map(more, &(blank <> " | " <> &1))], "\n", &String.trim_trailing/1)
  end

  defp full_row(margin, text, width) do
    row = "#{margin} | == #{text} "
    row |> String.slice(0, width) |> String.pad_trailing(min(width, String.length(row) + 20), "=")
  end

  defp gap(0, _left, _width), do: []

  defp gap(left_out, left, width) do
    "#{Time.count(left_out, "row")} left out; the trace: option writes them all to a file"
    |> Layout.wrap(width - left - 3, :infinity)
    |> Enum.map(&(String.duplicate(" ", left) <> " : " <> &1))
  end
end
