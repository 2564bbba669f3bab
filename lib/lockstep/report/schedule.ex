defmodule Lockstep.Report.Schedule do
  @moduledoc false
  # The schedule of a run as a table with one column a process.
  #
  # A long schedule shows its first and last rows, and partitions and the like; what matters is nearly always at its end. Where there are more
  # processes than columns fit, those that matter keep theirs and the rest share the column "others".

  alias Lockstep.Report.{Colour, Layout, Names, Table, Time, Words}

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
  def format(events, processes, width, focus) do
    names = Names.build(processes)
    services = for %{service?: true, id: id} <- processes, do: id

    case Words.of(events, names, services) do
      [] -> "(no steps)"
      events -> table(events, names, width, focus)
    end
  end

  defp table(events, names, width, focus) do
    segments = select(events)
    shown = for {:rows, events} <- segments, event <- events, do: event
    left = left_width(shown)
    columns = columns(shown, names, width - left, focus)
    widths = column_widths(shown, columns, width - left)
    {lines, _time} = Enum.map_reduce(segments, 0, &segment(&1, &2, columns, widths, left, width))

    hint =
      if match?([_, _ | _], segments), do: note("the trace: option writes all rows to a file", left, width), else: []

    [header(columns, widths, left), lines, hint] |> List.flatten() |> Enum.join("\n")
  end

  # The first rows, the last ones, and what happened to the cluster between them.
  defp select(events) do
    count = length(events)

    if count - @first_rows - @last_rows > 1 do
      events
      |> Enum.with_index()
      |> Enum.chunk_by(fn {event, index} -> shown?(event, index, count) end)
      |> Enum.map(&segment_of(&1, count))
    else
      [{:rows, events}]
    end
  end

  defp shown?(event, index, count) do
    index < @first_rows or index >= count - @last_rows or (Words.cluster?(event) and event.kind != :lost)
  end

  defp segment_of([{event, index} | _] = chunk, count) do
    if shown?(event, index, count), do: {:rows, Enum.map(chunk, &elem(&1, 0))}, else: {:gap, length(chunk)}
  end

  defp segment({:gap, left_out}, time, _columns, _widths, left, width), do: {gap(left_out, left, width), time}

  defp segment({:rows, events}, time, columns, widths, left, width) do
    Enum.map_reduce(events, time, fn event, time -> {row({event, time}, columns, widths, left, width), event.time} end)
  end

  # The step and the time stand left of the columns: `{width of the step, width of the time}`.
  defp left_width(events), do: step_width(events) + 1 + time_width(events)

  defp step_width(events),
    do: max(4, events |> List.last() |> Map.fetch!(:step) |> Integer.to_string() |> String.length())

  defp time_width(events), do: events |> Enum.map(&String.length(Time.ms(&1.time))) |> Enum.max() |> max(2)

  # A column is `{:process, id, name}` or `{:others, names}`.
  defp columns(events, names, available, focus) do
    active = events |> Enum.reject(&Words.cluster?/1) |> Enum.frequencies_by(& &1.process)
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
        texts = [
          title(column)
          | events
            |> Enum.reject(&Words.cluster?/1)
            |> Enum.filter(&belongs?(&1, column, columns))
            |> Enum.map(&cell(&1, column))
        ]

        texts |> Enum.map(&String.length/1) |> Enum.max()
      end

    Layout.fit(needs, available - @gap * length(columns))
  end

  defp title({:process, _id, name}), do: name
  defp title({:others, _names}), do: "others"

  # A row of its own, across all columns, belongs to none.
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

  # The time is printed where it has changed, so that a jump of the clock is seen at a glance.
  defp row({event, time}, columns, widths, left, width) do
    step = event.step |> Integer.to_string() |> String.pad_leading(4)
    ms = if event.time == time and event.step > 1, do: "", else: Time.ms(event.time)
    margin = step <> String.pad_leading(ms, left - String.length(step))

    if Words.cluster?(event) do
      Colour.paint(:yellow, full_row(margin, event.text, width))
    else
      columns |> cells(event) |> Table.line(widths, @cell_lines) |> beside(margin, left)
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

  defp gap(left_out, left, width), do: note("#{Time.count(left_out, "row")} left out", left, width)

  defp note(text, left, width) do
    for line <- Layout.wrap(text, width - left - 3, :infinity), do: String.duplicate(" ", left) <> " : " <> line
  end
end
