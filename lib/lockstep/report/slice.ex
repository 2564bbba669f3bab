defmodule Lockstep.Report.Slice do
  @moduledoc """
  The events of a run that matter for its failure: those that it came of, as far as they are worth telling.

  From the last thing that the failed process did, the slice goes back to what that came of: from a `receive` to the
  sending of the message, from a death to the signal, from a read to the write (`Lockstep.Report.Slice.Causes`), and to
  what the same process did before. Where more events than can be shown are causes, those are kept that mention a value
  of the error, and those that are fewest steps away from the failure. Faults are always in it.

  Fields:

    * `:events` - the events to show, in their order
    * `:earlier` - how many more are causes of the failure, and worth telling, but too far away from it
    * `:others` - how many more are worth telling, but had nothing to do with it
  """

  alias Lockstep.Report.{Mentions, Words}
  alias Lockstep.Report.Slice.{Causes, Worth}

  defstruct events: [], earlier: 0, others: 0

  @type t :: %__MODULE__{events: [map()], earlier: non_neg_integer(), others: non_neg_integer()}

  @rows 32
  @faults 10
  # So large a part of the rows is for the events that mention what the error does.
  @mentioning 0.4

  @doc """
  The slice of `events` back from the steps `roots`.

  `options`: `:rows`, how many events are shown (default: 32); `:keep`, steps that are shown in any case, and whose causes
  are as near as those of the failure itself (default: none); `:patterns`, what the error mentions (default: none).

  ## Example

      slice = Lockstep.Report.Slice.of(result.events, result.processes, [84], rows: 20)
      slice.events |> List.last() |> Map.fetch!(:step)
      #=> 84

  """
  @spec of([map()], [map()], [pos_integer()], keyword()) :: t()
  def of(events, processes, roots, options \\ []) do
    events = Enum.map(events, &Map.merge(%{object: 0, detail: 0, node: nil}, &1))
    worth = Worth.positions(events, processes)
    keep = positions(events, Keyword.get(options, :keep, []))
    starts = positions(events, roots) ++ keep
    distances = distances(starts, Causes.of(events, processes), worth)
    causes = for {at, distance} <- distances, at in worth, into: %{}, do: {at, distance}
    rows = Keyword.get(options, :rows, @rows)
    mentioning = mentioning(events, causes, Keyword.get(options, :patterns, []), rows)
    always = MapSet.new(keep ++ mentioning ++ faults(events, worth))
    shown = choose(causes, always, rows)
    earlier = Enum.count(causes, fn {at, _distance} -> at not in shown end)

    %__MODULE__{
      events: pick(events, shown),
      earlier: earlier,
      others: MapSet.size(worth) - MapSet.size(shown) - earlier
    }
  end

  # The first ones that mention it, what is repeated once, and what came of each: the last ones are near the failure anyway.
  defp mentioning(events, causes, patterns, rows) do
    if map_size(causes) <= rows do
      []
    else
      positions = Mentions.positions(events, MapSet.new(Map.keys(causes)), patterns)
      next = next(events, causes)
      events = List.to_tuple(events)

      positions
      |> Enum.sort()
      |> Enum.uniq_by(&{elem(events, &1).process, elem(events, &1).text})
      |> Enum.flat_map(&[&1 | List.wrap(next[&1])])
      |> Enum.uniq()
      |> Enum.take(trunc(rows * @mentioning))
    end
  end

  # For each cause the one after it of the same process.
  defp next(events, causes) do
    indexed = for {event, at} <- Enum.with_index(events), is_map_key(causes, at), do: {event.process, at}

    for {_process, own} <- Enum.group_by(indexed, &elem(&1, 0), &elem(&1, 1)),
        [at, next] <- Enum.chunk_every(own, 2, 1, :discard),
        into: %{},
        do: {at, next}
  end

  defp positions(events, steps) do
    for {event, at} <- Enum.with_index(events), event.step in steps, do: at
  end

  # How many events that are worth telling lie between each cause and the failure.
  defp distances(starts, causes, worth) do
    queue = :gb_sets.from_list(for at <- starts, do: {0, -at})
    walk(queue, causes, worth, %{})
  end

  defp walk(queue, causes, worth, distances) do
    if :gb_sets.is_empty(queue) do
      distances
    else
      {{distance, minus}, queue} = :gb_sets.take_smallest(queue)
      visit(-minus, distance, queue, causes, worth, distances)
    end
  end

  defp visit(at, _distance, queue, causes, worth, distances) when is_map_key(distances, at) do
    walk(queue, causes, worth, distances)
  end

  defp visit(at, distance, queue, causes, worth, distances) do
    next = if at in worth, do: distance + 1, else: distance
    %{before: before, others: others} = causes[at]
    earlier = for cause <- [before | others], cause != nil, not is_map_key(distances, cause), do: {next, -cause}
    queue = Enum.reduce(earlier, queue, &:gb_sets.add_element/2)
    walk(queue, causes, worth, Map.put(distances, at, distance))
  end

  defp choose(causes, always, rows) do
    causes
    |> Enum.reject(fn {at, _distance} -> at in always end)
    |> Enum.sort_by(fn {at, distance} -> {distance, -at} end)
    |> Enum.take(max(rows - MapSet.size(always), 0))
    |> Enum.reduce(always, fn {at, _distance}, shown -> MapSet.put(shown, at) end)
  end

  # What happened to the cluster, the latest of it where it is much.
  defp faults(events, worth) do
    faults = for {event, at} <- Enum.with_index(events), at in worth, Words.fault?(event), do: at
    Enum.take(faults, -@faults)
  end

  defp pick(events, shown) do
    for {event, at} <- Enum.with_index(events), at in shown, do: event
  end
end
