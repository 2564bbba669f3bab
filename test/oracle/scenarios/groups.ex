defmodule Oracle.Scenarios.Groups do
  @moduledoc false
  # 3.9: process groups.
  use Oracle.Scenario

  scenario "R-PG1 joining and leaving", world do
    [a, b] = cluster(world)
    [one, two] = for node <- [a, b], do: World.recorder(world, node)

    World.call(world, a, fn ->
      [
        Outcome.of(fn -> :pg.join(:scope, :group, one) end),
        Outcome.of(fn -> :pg.join(:scope, :group, one) end),
        Outcome.of(fn -> :pg.join(:scope, :group, two) end),
        Outcome.of(fn -> :pg.get_members(:scope, :group) end),
        Outcome.of(fn -> :pg.leave(:scope, :group, one) end),
        Outcome.of(fn -> :pg.leave(:scope, :group, one) end),
        Outcome.of(fn -> :pg.leave(:scope, :group, one) end),
        Outcome.of(fn -> :pg.get_members(:scope, :group) end),
        Outcome.of(fn -> :pg.get_members(:missing, :group) end),
        Outcome.of(fn -> :pg.join(:missing, :group, one) end),
        Outcome.of(fn -> :pg.which_groups(:scope) end)
      ]
    end)
    |> Enum.map(&without_call/1)
  end

  defp without_call({:exit, {:noproc, {:gen_server, :call, _}}}), do: {:exit, :noproc}
  defp without_call({:error, {:nolocal, pid}}), do: {:error, {:nolocal, pid}}
  defp without_call(outcome), do: outcome

  scenario "R-PG2 members of other nodes, and of lost ones", world do
    [a, b] = cluster(world)
    [one, two] = for node <- [a, b], do: World.recorder(world, node)
    World.call(world, a, fn -> :pg.join(:scope, :group, one) end)
    World.call(world, b, fn -> :pg.join(:scope, :group, two) end)
    members = fn node -> World.call(world, node, fn -> :pg.get_members(:scope, :group) end) end
    both = World.await(world, fn -> Enum.all?([a, b], &(Enum.sort(members.(&1)) == Enum.sort([one, two]))) end)
    World.disconnect(world, a, b)
    apart = World.await(world, fn -> members.(a) == [one] and members.(b) == [two] end)
    World.connect(world, [a, b])
    again = World.await(world, fn -> Enum.all?([a, b], &(length(members.(&1)) == 2)) end)
    local = World.call(world, a, fn -> :pg.get_local_members(:scope, :group) end)
    World.call(world, b, fn -> Process.exit(two, :kill) end)
    {both, apart, again, local, World.await(world, fn -> members.(a) == [one] end)}
  end

  scenario "R-PG2 the newest member comes first", world do
    [a, b] = cluster(world)
    recorders = for _ <- 1..3, do: World.recorder(world, a)
    for recorder <- recorders, do: World.call(world, a, fn -> :pg.join(:scope, :group, recorder) end)
    World.settle(world)

    for node <- [a, b],
        do: World.call(world, node, fn -> :pg.get_members(:scope, :group) end) == Enum.reverse(recorders)
  end

  scenario "R-PG3 monitors of scopes and groups", world do
    [a, b] = cluster(world)
    one = World.recorder(world, b)
    [scope, group] = for _ <- 1..2, do: World.recorder(world, a)

    starts = [
      World.tell(world, scope, fn -> :pg.monitor_scope(:scope) end),
      World.tell(world, group, fn -> :pg.monitor(:scope, :group) end)
    ]

    for name <- [:group, :other], do: World.call(world, b, fn -> :pg.join(:scope, name, one) end)
    World.log(world, scope, 2)
    World.disconnect(world, a, b)
    World.log(world, scope, 4)
    World.connect(world, [a, b])
    World.log(world, scope, 6)
    World.call(world, b, fn -> :pg.leave(:scope, :group, one) end)
    {joins, rest} = world |> World.log(scope, 7) |> Enum.split(2)
    {starts, joins, Enum.sort(Enum.take(rest, 2)), Enum.drop(rest, 2) |> Enum.sort(), World.log(world, group, 4)}
  end

  scenario "R-PG3 a process that joined twice leaves twice", world do
    [a, b] = cluster(world)
    one = World.recorder(world, b)
    watcher = World.recorder(world, a)
    World.tell(world, watcher, fn -> :pg.monitor_scope(:scope) end)
    for _ <- 1..2, do: World.call(world, b, fn -> :pg.join(:scope, :group, one) end)
    World.log(world, watcher, 2)
    World.call(world, b, fn -> Process.exit(one, :kill) end)
    World.log(world, watcher, 4)
  end

  # Corrected in later releases: what is seen is recorded for each.
  scenario "R-PG4 who watches and joins, and dies", world do
    [a, _b] = cluster(world)
    one = World.recorder(world, a)
    watcher = World.recorder(world, a)
    scope = World.call(world, a, fn -> Process.whereis(:scope) end)
    World.tell(world, watcher, fn -> Process.monitor(scope) end)

    World.tell(world, one, fn ->
      :pg.monitor_scope(:scope)
      :pg.join(:scope, :group, self())
    end)

    World.call(world, a, fn -> Process.exit(one, :kill) end)
    World.settle(world)

    for {:DOWN, _, :process, _, reason} <- World.log(world, watcher) do
      if match?({{:case_clause, _}, _}, reason), do: :case_clause, else: reason
    end
  end

  defp cluster(world) do
    nodes = World.cluster(world, 2)
    for node <- nodes, do: World.call(world, node, fn -> {:ok, _} = :pg.start(:scope) end)
    World.settle(world)
    nodes
  end
end
