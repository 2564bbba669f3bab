defmodule Oracle.Scenarios.Silence do
  @moduledoc false
  # 3.4: silent cuts, ticks, nodes that stand still, connections that take no more.
  use Oracle.Scenario

  # s
  @ticktime 4

  scenario "R-TICK an idle connection is given up in time", world do
    [a, b] = World.cluster(world, 2, ticktime: @ticktime)
    # The traffic of the set-up is over.
    World.sleep(world, 2_500)
    World.cut(world, a, b)
    start = World.now(world)
    times = for node <- [a, b], do: detection(world, node, start)
    between = @ticktime * 1000
    Enum.map(times, &(&1 in round(between * 0.75)..round(between * 1.25 + 500)))
  end

  scenario "R-TICK more ticks, finer detection", world do
    [a, b] = World.cluster(world, 2, ticktime: @ticktime, intensity: 20)
    World.sleep(world, 1_000)
    World.cut(world, a, b)
    start = World.now(world)
    for node <- [a, b], do: detection(world, node, start) in 3_600..4_600
  end

  defp detection(world, node, start) do
    World.await(world, fn -> World.nodes(world, node) == [] end)
    World.now(world) - start
  end

  scenario "R-TICK ticks keep an idle connection", world do
    [a, b] = World.cluster(world, 2, ticktime: 1)
    recorder = watcher(world, a, [])
    World.sleep(world, 4_000)
    {World.nodes(world, a), World.nodes(world, b), World.log(world, recorder)}
  end

  scenario "R-SIL1 nobody notices a cut at first", world do
    [a, b] = World.cluster(world, 2, ticktime: 60)
    recorders = watchers(world, a, b)
    target = hd(recorders)
    World.cut(world, a, b)
    sent = World.call(world, b, fn -> send(target, :hello) end)
    World.sleep(world, 1_000)
    {sent, World.nodes(world, a), World.nodes(world, b), Enum.map(recorders, &World.log(world, &1))}
  end

  scenario "R-SIL2 healed in time, all arrives in order", world do
    [a, b] = World.cluster(world, 2, ticktime: @ticktime)
    recorders = [one, two] = watchers(world, a, b)
    World.cut(world, a, b)
    World.call(world, a, fn -> for n <- 1..50, do: send(two, n) end)
    World.call(world, b, fn -> for n <- 1..50, do: send(one, n) end)
    World.sleep(world, 1_000)
    during = Enum.map(recorders, &World.log(world, &1))
    World.heal(world, a, b)
    logs = for recorder <- recorders, do: World.log(world, recorder, 50) == Enum.to_list(1..50)
    World.call(world, b, fn -> Process.exit(two, :kill) end)
    {during, logs, world |> World.log(one, 52) |> Enum.drop(50) |> Enum.sort()}
  end

  scenario "R-SIL3 noticed, all that was under way is lost", world do
    [a, b] = World.cluster(world, 2, ticktime: 2)
    recorders = [one, two] = watchers(world, a, b)
    World.cut(world, a, b)
    World.call(world, a, fn -> for n <- 1..50, do: send(two, n) end)
    World.call(world, b, fn -> for n <- 1..50, do: send(one, n) end)
    World.await(world, fn -> World.nodes(world, a) == [] and World.nodes(world, b) == [] end)
    World.heal(world, a, b)
    World.sleep(world, 1_000)
    for recorder <- recorders, do: World.log(world, recorder)
  end

  scenario "R-SIL4 cut in one direction", world do
    [a, b] = World.cluster(world, 2, ticktime: 2)
    [one, two] = watchers(world, a, b)
    World.cut_oneway(world, a, b)
    World.call(world, a, fn -> send(two, :lost) end)
    World.call(world, b, fn -> send(one, :arrives) end)
    {World.log(world, one, 4), World.log(world, two, 2)}
  end

  scenario "R-SIL5 a node that stood still handles what its sender gave up", world do
    [a, b] = World.cluster(world, 2, ticktime: 2)
    [one, two] = watchers(world, a, b)
    World.pause(world, b)
    World.call(world, a, fn -> for n <- 1..5, do: send(two, n) end)
    log = World.log(world, one, 3)
    World.resume(world, b)
    {log, World.log(world, two, 7), World.nodes(world, b)}
  end

  scenario "R-SIL5 a short pause goes unnoticed", world do
    [a, b] = World.cluster(world, 2, ticktime: @ticktime)
    [one, two] = watchers(world, a, b)
    World.pause(world, b)
    World.call(world, a, fn -> for n <- 1..5, do: send(two, n) end)
    World.sleep(world, 1_000)
    World.resume(world, b)
    {World.log(world, two, 5), World.log(world, one)}
  end

  # Each linked to the other, which is watched by one, and both subscribed to nodes.
  defp watchers(world, a, b) do
    two = watcher(world, b, [])
    one = watcher(world, a, [two])
    [one, two]
  end

  defp watcher(world, node, others) do
    recorder = World.recorder(world, node)

    World.tell(world, recorder, fn ->
      :net_kernel.monitor_nodes(true, [:nodedown_reason])
      for other <- others, do: {Process.link(other), Process.monitor(other)}
    end)

    World.settle(world)
    recorder
  end

  scenario "R-FLOW senders are suspended while a connection takes no more", world do
    [a, b] = World.cluster(world, 2, ticktime: @ticktime)
    target = World.recorder(world, b)
    World.cut(world, a, b)
    big = fn -> for _ <- 1..60, do: send(target, {:big, :binary.copy(<<0>>, 1_000_000)}) end
    sender = World.spawn(world, a, big)
    status = fn -> World.call(world, a, fn -> Process.info(sender, :status) end) end
    suspended = World.await(world, fn -> status.() == {:status, :suspended} end, 3_000)

    answers =
      World.call(world, a, fn ->
        {:erlang.send(target, :small, [:nosuspend]), :erlang.send_nosuspend(target, :small), Node.list()}
      end)

    {rpc, took} = World.timed(world, fn -> World.call(world, a, fn -> :rpc.call(b, :erlang, :node, [], 500) end) end)
    down = World.await(world, fn -> World.nodes(world, a) == [] end)
    {suspended, answers, rpc, took > 1_000, down}
  end
end
