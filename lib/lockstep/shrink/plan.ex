defmodule Lockstep.Shrink.Plan do
  @moduledoc false
  # Makes the plan of a failing run smaller.

  alias Lockstep.Shrink.{Minimize, Search}

  # More steps than any process takes.
  @until_it_waits 0xFFFF_FFFF_FFFF

  @doc "The smallest run that is found from the best so far."
  @spec shrink(Search.t()) :: Search.t()
  def shrink(search) do
    case Search.try(search, []) do
      {true, search} -> search
      {false, search} -> search |> leave_out_kinds() |> shorten() |> rounds() |> again()
    end
  end

  # From all that the best run has done, and not only from what it had to be told: what led into a dead end may be left
  # out from there.
  defp again(search) do
    if Search.switches(search.best.result) > 0 and Search.open?(search) do
      more = %{search | best: %{search.best | plan: done(search.best.result)}} |> rounds()
      if more.best.cost < search.best.cost, do: again(more), else: %{more | best: search.best}
    else
      search
    end
  end

  @doc "What a run has done, as a plan."
  @spec done(Lockstep.Simulation.Result.t()) :: Search.plan()
  def done(%{trail: {deeds, _switches, _deviations}}), do: Enum.map(deeds, &deed/1)

  defp deed({:act, who, until, _touched, _step}), do: {:act, who, until, 0}
  defp deed({kind, who, at, value, _step}), do: {kind, who, at, value}

  # Whole kinds of disturbances at once: most failures need none.
  defp leave_out_kinds(search) do
    Enum.reduce([[:fault, :stall, :latency], [:fault], [:stall], [:latency], [:act]], search, fn kinds, search ->
      best = search.best.plan
      plan = Enum.reject(best, &(elem(&1, 0) in kinds))
      if plan == best, do: search, else: search |> Search.try(plan) |> elem(1)
    end)
  end

  # The schedule ends as early as possible, and what is left of the run goes undisturbed.
  defp shorten(search) do
    plan = search.best.plan
    take = fn count, search -> Search.try(search, Enum.take(plan, count)) end
    Minimize.least(0, length(plan), search, take) |> elem(1)
  end

  defp rounds(search) do
    before = search.best

    search =
      Enum.reduce([:fault, :stall, :latency, :act], search, &leave_out(&2, &1))
      |> join_stalls()
      |> milder()
      |> let_go_on()
      |> merge()
      |> swap()

    if search.best == before or not Search.open?(search), do: search, else: rounds(search)
  end

  # One kind after the other, in the order in which they weigh.
  defp leave_out(search, kind) do
    plan = Enum.with_index(search.best.plan)
    {some, _others} = Enum.split_with(plan, fn {deed, _} -> elem(deed, 0) == kind end)

    test = fn left, search ->
      gone = MapSet.difference(MapSet.new(some), MapSet.new(left))
      Search.try(search, for({deed, _} = entry <- plan, not MapSet.member?(gone, entry), do: deed))
    end

    Minimize.ddmin(some, search, test) |> elem(1)
  end

  # One stall as long as two.
  defp join_stalls(search) do
    stalls = for {{:stall, _, _, _} = deed, index} <- Enum.with_index(search.best.plan), do: {deed, index}
    pairs = Enum.zip(stalls, Enum.drop(stalls, 1))

    Enum.reduce_while(pairs ++ Enum.map(pairs, fn {one, other} -> {other, one} end), search, fn pair, search ->
      {joined?, search} = Search.try(search, join(search.best.plan, pair))
      if joined?, do: {:halt, join_stalls(search)}, else: {:cont, search}
    end)
  end

  defp join(plan, {{{:stall, who, at, length}, longer}, {{:stall, _, _, more}, gone}}) do
    plan |> List.replace_at(longer, {:stall, who, at, length + more}) |> List.delete_at(gone)
  end

  # What has to stay, in a milder form.
  defp milder(search) do
    Enum.reduce(search.best.plan, search, fn
      {:act, _, _, _}, search -> search
      {kind, who, at, value} = deed, search -> milder(search, deed, value, &{kind, who, at, &1})
    end)
  end

  defp milder(search, deed, value, with_value) do
    case Enum.find_index(search.best.plan, &(&1 == deed)) do
      nil ->
        search

      index ->
        plan = search.best.plan
        test = fn value, search -> Search.try(search, List.replace_at(plan, index, with_value.(value))) end
        Minimize.least(1, value, search, test) |> elem(1)
    end
  end

  # Whoever acts goes on until it has to wait, instead of being left in the midst.
  defp let_go_on(search) do
    plan = Enum.with_index(search.best.plan)
    left = Enum.filter(plan, fn {deed, _} -> match?({:act, _, until, _} when until < @until_it_waits, deed) end)

    test = fn left, search ->
      left = MapSet.new(left)
      Search.try(search, for(entry <- plan, do: if(entry in left, do: elem(entry, 0), else: let_go(entry))))
    end

    Minimize.ddmin(left, search, test) |> elem(1)
  end

  defp let_go({{:act, who, _until, value}, _index}), do: {:act, who, @until_it_waits, value}
  defp let_go({deed, _index}), do: deed

  # What somebody does later is done at once, together with what it does before: one switch less.
  defp merge(search), do: merge(search, 0)

  defp merge(search, index) do
    plan = search.best.plan

    case Enum.split(plan, index) do
      {_, []} ->
        search

      {before, [{:act, who, _, _} | rest]} ->
        case Enum.find_index(rest, &match?({:act, ^who, _, _}, &1)) do
          nil ->
            merge(search, index + 1)

          later ->
            {deed, rest} = List.pop_at(rest, later)
            {merged?, search} = Search.try(search, before ++ [deed | rest])
            merge(search, if(merged?, do: index, else: index + 1))
        end

      {_, _} ->
        merge(search, index + 1)
    end
  end

  # Of two that act one after the other, the other first.
  defp swap(search), do: Enum.reduce(1..max(length(search.best.plan) - 1, 1), search, &swap(&2, &1))

  defp swap(search, index) do
    case Enum.split(search.best.plan, index - 1) do
      {before, [{:act, _, _, _} = one, {:act, _, _, _} = other | rest]} ->
        search |> Search.try(before ++ [other, one | rest]) |> elem(1)

      _ ->
        search
    end
  end
end
