defmodule Lockstep.Report.Pair do
  @moduledoc false
  # What decides: the two events of the shrunk run that lead to the failure in this order and not in the other.

  alias Lockstep.Report.{Colour, Facts, Layout, Stack, Story, Time, Words}

  @doc "The part of a report that shows the pair, as a list of paragraphs; none if it is not known."
  @spec format(Facts.t(), pos_integer()) :: [String.t()]
  def format(%{shrunk: %{pair: {earlier, later}} = shrunk} = facts, width) do
    title =
      "what decides: step #{Time.digits(earlier.step)} comes before step #{Time.digits(later.step)}; the other way round the run passes"

    events = for event <- [earlier, later], do: event(event, shrunk.stacks[event.step], facts, width)
    [Colour.paint(:bright, Layout.paragraphs(title, width)) | events]
  end

  def format(_facts, _width), do: []

  defp event(event, stack, facts, width) do
    text = "step #{Time.digits(event.step)}, #{actor(event, facts)}: #{Words.of(event, facts.names)}"
    Enum.join([indented(text, 2, width) | where(stack |> Stack.prune() |> Stack.of_program(), event, width)], "\n")
  end

  defp actor(event, facts), do: facts.names[event.process] || "the network"

  defp where([], event, width) do
    for place <- List.wrap(Story.Rows.place(event)), do: indented(place, 4, width)
  end

  defp where(stack, _event, width) do
    for frame <- stack, do: frame |> Exception.format_stacktrace_entry() |> indented(4, width)
  end

  defp indented(text, by, width) do
    text |> Layout.wrap(width - by, :infinity) |> Enum.map_join("\n", &(String.duplicate(" ", by) <> &1))
  end
end
