defmodule Lockstep.Shrink.Pair do
  @moduledoc false
  # The two events whose order decides between failing and passing.
  #
  # A run that passes is looked for near the one that fails: without the last thing that it had to be told, with a stall a
  # little shorter, or with one process held up from some step on. Between the two lie others, which begin like the one
  # that passes and go on like the one that fails. Bisecting gives two that differ by one event, and bisecting again two
  # that differ by two neighbouring events the other way round (as Hermit does, github.com/facebookexperimental/hermit).

  alias Lockstep.Shrink.{Minimize, Plan, Search}

  # How many steps are tried for holding up the process that takes them.
  @held_up 200
  # How many more runs are spent on a pair that touches the same thing when one has been found that does not.
  @more 80
  @nothing 0
  @everything 0xFFFF_FFFF_FFFF_FFFF

  @type found :: %{steps: {pos_integer(), pos_integer()}, passing: [non_neg_integer()]}

  @doc "The numbers of the two steps of the recorded run `failing`, and the choices of the run with them the other way round."
  @spec find(Search.t(), Lockstep.Simulation.Result.t()) :: {{:ok, found()} | {:error, String.t()}, Search.t()}
  def find(search, failing) do
    [less_told(search.best.plan), milder(search.best.plan), held_up(failing)]
    |> Stream.concat()
    |> Enum.reduce_while({nil, search}, &try_near(&1, &2, failing))
    |> answer()
  end

  defp try_near(plan, {found, search}, failing) do
    cond do
      enough?(found, search) -> {:halt, {found, search}}
      not Search.open?(search) -> {:halt, {found || :budget, search}}
      true -> {:cont, search |> near(failing, plan) |> better(found, failing)}
    end
  end

  defp enough?(nil, _search), do: false
  defp enough?(found, search), do: found.related? or search.replays > found.until

  defp better({:none, search}, found, _failing), do: {found, search}

  defp better({{:ok, new}, search}, found, failing) do
    new = Map.merge(new, %{related?: related?(new.steps, failing), until: search.replays + @more})
    {if(found == nil or new.related?, do: new, else: found), search}
  end

  # Two events that have nothing to do with each other can decide by what follows them; that is harder to see.
  defp related?({earlier, later}, failing) do
    case {touched(failing, earlier), touched(failing, later)} do
      {@nothing, _} -> false
      {_, @nothing} -> false
      {one, other} -> one == other or one == @everything or other == @everything
    end
  end

  defp touched(%{trail: {deeds, _, _}}, step) do
    Enum.find_value(deeds, fn
      {:act, _who, _until, touched, ^step} -> touched
      _ -> nil
    end)
  end

  defp answer({nil, %{best: %{plan: []}} = search}),
    do: {{:error, "the undisturbed run fails, and so does every one near it that was tried"}, search}

  defp answer({nil, search}) do
    case Search.attempt(search, Enum.reject(search.best.plan, &match?({:fault, _, _, _}, &1))) do
      {:pass, search} -> {{:error, "without its faults the run passes, whatever the order of events"}, search}
      {_fails, search} -> {{:error, "no run that differs in the order of two events alone was found to pass"}, search}
    end
  end

  defp answer({:budget, search}), do: {{:error, "the budget of replays is spent"}, search}
  defp answer({found, search}), do: {{:ok, Map.take(found, [:steps, :passing])}, search}

  # Plans that may pass, the likeliest first.
  defp less_told(plan) do
    for index <- Enum.reverse(Enum.to_list(0..(length(plan) - 1)//1)),
        act_or_stall?(Enum.at(plan, index)),
        do: List.delete_at(plan, index)
  end

  defp milder(plan) do
    for {{kind, who, at, value}, index} <- Enum.with_index(plan), kind in [:stall, :latency], value > 0 do
      List.replace_at(plan, index, {kind, who, at, value - 1})
    end
  end

  # What happens late is more likely to matter. Of a long run only some steps are tried, and every process from its start.
  defp held_up(failing) do
    deeds = Plan.done(failing)
    acts = for {{:act, who, _, _}, index} <- Enum.with_index(deeds), do: {who, index}
    firsts = acts |> Enum.uniq_by(&elem(&1, 0)) |> Enum.map(&elem(&1, 1))
    some = acts |> Enum.map(&elem(&1, 1)) |> Enum.take_every(div(length(acts), @held_up) + 1)
    (firsts ++ some) |> Enum.uniq() |> Enum.sort(:desc) |> Stream.map(&hold_up(deeds, &1))
  end

  defp hold_up(deeds, index) do
    {before, [{:act, who, _, _} | _] = rest} = Enum.split(deeds, index)
    {his, others} = Enum.split_with(rest, &match?({:act, ^who, _, _}, &1))
    before ++ others ++ his
  end

  defp act_or_stall?(deed), do: elem(deed, 0) in [:act, :stall]

  defp near(search, failing, plan) do
    case Search.attempt(search, plan) do
      {:pass, search} -> search |> Search.record({:guided, plan}) |> between(failing)
      {_fails, search} -> {:none, search}
    end
  end

  defp between({passing, search}, failing) do
    case bisect(search, failing, passing) do
      {:none, search} -> first_difference(search, failing, passing)
      found -> found
    end
  end

  # The deeds of the passing run, up to the `count`-th, then those of the failing one that are left.
  defp mixed(failing, passing, count) do
    start = Enum.take(passing, count)
    done = MapSet.new(start)
    start ++ Enum.reject(failing, &MapSet.member?(done, &1))
  end

  defp bisect(search, failing, passing) do
    {ordered, rest} = failing |> Plan.done() |> Enum.split_with(&act_or_stall?/1)
    {others, _} = passing |> Plan.done() |> Enum.split_with(&act_or_stall?/1)
    passes? = fn deeds, search -> passes?(search, deeds ++ rest) end

    with {true, search} <- passes?.(mixed(ordered, others, length(others)), search) do
      {count, search} = Minimize.least(1, length(others), search, &passes?.(mixed(ordered, others, &1), &2))

      moved = Enum.at(others, count - 1)
      start = Enum.take(others, count - 1)
      left = Enum.drop(mixed(ordered, others, count - 1), count - 1)
      place(search, {start, left, moved}, rest, failing)
    else
      {false, search} -> {:none, search}
    end
  end

  # Where the moved one has to come for the run to pass: the later, the less was moved.
  defp place(search, {start, left, moved}, rest, failing) do
    case Enum.find_index(left, &(&1 == moved)) do
      nil ->
        {:none, search}

      index ->
        {before, [_moved | behind]} = Enum.split(left, index)
        at = fn place -> start ++ Enum.take(before, place) ++ [moved | Enum.drop(before, place)] ++ behind ++ rest end
        # Of the places from the last to the first: the one nearest to where it was at which the run passes.
        {back, search} = Minimize.least(1, index, search, &passes?(&2, at.(index - &1)))
        decided(search, {Enum.at(before, index - back), moved}, {at.(index - back + 1), at.(index - back)}, failing)
    end
  end

  defp decided(search, {one, other}, {fails, passes}, failing) do
    with {earlier, later} when earlier < later <- {step(failing, one), step(failing, other)},
         {verdict, search} when verdict == :same or is_tuple(verdict) <- Search.attempt(search, fails),
         {%{outcome: :ok} = passing, search} <- Search.record(search, {:guided, passes}) do
      {{:ok, %{steps: {earlier, later}, passing: passing.choices}}, search}
    else
      {_fails_otherwise, %Search{} = search} -> {:none, search}
      _no_such_steps -> {:none, search}
    end
  end

  # A little less of a stall or of a latency, and another event came first.
  defp first_difference(search, failing, passing) do
    pairs = Enum.zip(acts(failing), acts(passing))

    with {one, other} <- Enum.find(pairs, fn {one, other} -> one != other end),
         {earlier, later} when is_integer(later) and earlier < later <- {step(failing, one), step(failing, other)} do
      {{:ok, %{steps: {earlier, later}, passing: passing.choices}}, search}
    else
      _ -> {:none, search}
    end
  end

  defp acts(run), do: Enum.filter(Plan.done(run), &match?({:act, _, _, _}, &1))

  defp step(%{trail: {deeds, _, _}}, {:act, who, until, _}) do
    Enum.find_value(deeds, fn
      {:act, ^who, ^until, _, step} -> step
      _ -> nil
    end)
  end

  defp step(_run, _deed), do: nil

  defp passes?(search, plan) do
    {verdict, search} = Search.attempt(search, plan)
    {verdict == :pass, search}
  end
end
