defmodule Lockstep.Report.Output do
  @moduledoc false
  # What a run has printed and logged.

  alias Lockstep.Report.{Colour, Layout, Names, Time, Words}

  @last_lines 30

  @doc "The part of a report that shows the output of the run, as a list of paragraphs; none if there is none."
  @spec format([map()], [map()], pos_integer()) :: [String.t()]
  def format([], _processes, _width), do: []

  def format(entries, processes, width) do
    names = Names.build(processes)
    lines = entries |> Enum.flat_map(&lines(&1, names)) |> Enum.flat_map(&Layout.wrap(&1, width - 2, :infinity))
    left_out = max(length(lines) - @last_lines, 0)
    hint = if left_out > 0, do: ["(#{Time.count(left_out, "line")} before these left out)"], else: []
    shown = Enum.map_join(hint ++ Enum.drop(lines, left_out), "\n", &("  " <> &1))
    [Colour.paint(:bright, "the run printed and logged"), shown]
  end

  defp lines(%{kind: {:print, _device}, text: text}, _names) do
    text |> String.trim_trailing("\n") |> String.split("\n")
  end

  defp lines(%{kind: {:log, level}, text: text} = entry, names) do
    [first | more] = text |> Words.with_names(names) |> String.trim() |> String.split("\n")
    ["[#{level}] #{names[entry.process]}: #{first}" | Enum.map(more, &("    " <> &1))]
  end

  @doc """
  Prints the output of a run that passed.

  For a single run only: whoever replays a seed wants to see it, and a sweep would print everything hundreds of times.
  """
  @spec print([map()]) :: :ok
  def print(entries) do
    for %{kind: {:print, device}, text: text} <- entries, do: IO.write(device(device), text)
    :ok
  end

  defp device(:standard_error), do: :stderr
  defp device(_user), do: :stdio
end
