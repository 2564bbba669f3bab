defmodule Oracle.Scenarios.Signals do
  @moduledoc false
  # 3.5: monitors, links and exit signals between nodes.
  use Oracle.Scenario

  @reasons [:normal, :shutdown, :kill, {:shutdown, 1}, :noproc]

  scenario "R-MON1 reasons", world do
    [a, b] = World.cluster(world, 2)

    for reason <- @reasons do
      recorder = World.recorder(world, a)
      target = World.call(world, b, fn -> spawn(fn -> receive do: (:go -> exit(reason)) end) end)
      World.tell(world, recorder, fn -> Process.monitor(target) && send(target, :go) end)
      World.log(world, recorder, 1)
    end
  end

  scenario "R-MON1 exit signals to another node", world do
    [a, b] = World.cluster(world, 2)

    for reason <- @reasons, trap <- [true, false] do
      recorder = World.recorder(world, a)
      target = World.recorder(world, b, trap: trap)
      World.tell(world, recorder, fn -> Process.monitor(target) end)
      World.settle(world)
      World.tell(world, recorder, fn -> Process.exit(target, reason) end)
      World.settle(world)
      alive? = World.call(world, b, fn -> Process.alive?(target) end)
      {reason, trap, World.log(world, recorder), if(alive?, do: World.log(world, target), else: :dead)}
    end
  end

  scenario "R-MON2 monitors of nobody", world do
    [a, b] = World.cluster(world, 2)
    dead = World.call(world, b, fn -> spawn(fn -> :ok end) end)
    World.settle(world)
    recorder = World.recorder(world, a)
    unreachable = World.name(4)

    for target <- [dead, {:nobody, b}, {:nobody, unreachable}] do
      World.tell(world, recorder, fn -> Process.monitor(target) end)
      World.await(world, fn -> World.log(world, recorder) != [] end)
      World.settle(world)
    end

    gone = World.recorder(world, b)
    World.refuse(world, a, b)
    World.disconnect(world, a, b)
    World.tell(world, recorder, fn -> Process.monitor(gone) end)
    World.log(world, recorder, 4)
  end

  scenario "R-MON2 monitors by name", world do
    [a, b] = World.cluster(world, 2)
    target = World.recorder(world, b, :target, [])
    recorder = World.recorder(world, a)
    World.tell(world, recorder, fn -> Process.monitor({:target, b}) end)
    World.settle(world)
    World.call(world, a, fn -> Process.exit(target, :kill) end)
    killed = World.log(world, recorder, 1)
    World.recorder(world, b, :target, [])
    World.tell(world, recorder, fn -> Process.monitor({:target, b}) end)
    World.settle(world)
    World.disconnect(world, a, b)
    {killed, tl(World.log(world, recorder, 2))}
  end

  scenario "R-MON3 tags and aliases", world do
    [a, b] = World.cluster(world, 2)
    recorder = World.recorder(world, a)
    target = World.call(world, b, fn -> spawn(fn -> replies() end) end)

    World.tell(world, recorder, fn ->
      :erlang.monitor(:process, target, tag: :my_tag)
      send(target, {:reply, :erlang.monitor(:process, target, alias: :reply_demonitor), 2})
      reply = :erlang.alias([:reply])
      send(target, {:reply, reply, 3})
      gone = :erlang.alias()
      send(target, {:reply, gone, 1})
      :erlang.unalias(gone)
    end)

    World.settle(world)
    World.tell(world, recorder, fn -> send(target, :go) end)
    Enum.sort(World.log(world, recorder, 3))
  end

  defp replies do
    receive do
      {:reply, to, count} ->
        Process.sleep(20)
        for n <- 1..count, do: send(to, {:reply, count, n})
        replies()

      :go ->
        :ok
    end
  end

  scenario "R-MON4 demonitor", world do
    [a, b] = World.cluster(world, 2)
    target = World.recorder(world, b)
    recorder = World.recorder(world, a)

    World.tell(world, recorder, fn ->
      monitor = Process.monitor(target)
      {Process.demonitor(monitor, [:flush, :info]), Process.demonitor(monitor, [:flush, :info])}
    end)
    |> then(fn answers ->
      World.call(world, b, fn -> Process.exit(target, :kill) end)
      World.settle(world)
      {answers, World.log(world, recorder)}
    end)
  end

  scenario "R-MON7 monitors of nodes are counted", world do
    [a, b] = World.cluster(world, 2)
    recorder = World.recorder(world, a)
    answers = World.tell(world, recorder, fn -> for flag <- [true, true, true, false], do: Node.monitor(b, flag) end)
    World.disconnect(world, a, b)
    {answers, World.log(world, recorder, 2)}
  end

  scenario "R-MON7 monitors of nodes that cannot be reached", world do
    [a] = World.start(world, 1)
    recorder = World.recorder(world, a)
    unreachable = World.name(4)

    answers =
      World.tell(world, recorder, fn ->
        {Node.monitor(unreachable, true), Node.monitor(node(), true)}
      end)

    {answers, World.log(world, recorder, 1)}
  end

  scenario "R-MON7 a monitor of a node fires once, not again", world do
    [a, b] = World.cluster(world, 2)
    recorder = World.recorder(world, a)
    World.tell(world, recorder, fn -> Node.monitor(b, true) end)

    for _ <- 1..2 do
      World.disconnect(world, a, b)
      World.connect(world, [a, b])
    end

    World.log(world, recorder, 1)
  end

  scenario "R-MON7 a reachable node is connected", world do
    [a, b] = World.start(world, 2)
    recorder = World.recorder(world, a)
    World.tell(world, recorder, fn -> Node.monitor(b, true) end)
    connected = World.await(world, fn -> World.nodes(world, a) == [b] end)
    {connected, World.log(world, recorder)}
  end

  scenario "R-LNK1 links to nobody", world do
    [a, b] = World.cluster(world, 2)
    dead = World.call(world, b, fn -> spawn(fn -> :ok end) end)
    gone = World.recorder(world, b)
    recorder = World.recorder(world, a)
    World.settle(world)
    first = World.tell(world, recorder, fn -> Process.link(dead) end)
    World.log(world, recorder, 1)
    World.refuse(world, a, b)
    World.disconnect(world, a, b)
    second = World.tell(world, recorder, fn -> Process.link(gone) end)
    {first, second, World.log(world, recorder, 2)}
  end

  scenario "R-LNK1 links to nobody, without trapping", world do
    [a, b] = World.cluster(world, 2)
    dead = World.call(world, b, fn -> spawn(fn -> :ok end) end)
    watcher = World.recorder(world, a)
    World.settle(world)

    linker =
      World.call(world, a, fn -> spawn(fn -> receive do: (:go -> Process.link(dead) && Process.sleep(9_000)) end) end)

    World.tell(world, watcher, fn -> Process.monitor(linker) end)
    World.call(world, a, fn -> send(linker, :go) end)
    local = World.call(world, a, fn -> spawn(fn -> :ok end) end)
    World.settle(world)
    {World.log(world, watcher, 1), World.outcome(world, a, fn -> Process.link(local) end)}
  end

  scenario "R-LNK2 linking twice, and unlinking", world do
    [a, b] = World.cluster(world, 2)
    [one, two] = for _ <- 1..2, do: World.recorder(world, b)
    recorder = World.recorder(world, a)

    World.tell(world, recorder, fn ->
      for target <- [one, one, two], do: Process.link(target)
      Process.unlink(two)
    end)

    World.settle(world)
    for target <- [one, two], do: World.call(world, b, fn -> Process.exit(target, :kill) end)
    World.log(world, recorder, 1)
  end

  scenario "R-LNK3 a lost connection kills on both sides", world do
    [a, b] = World.cluster(world, 2)

    watchers =
      for {here, there} <- [{a, b}, {b, a}] do
        watcher = World.recorder(world, here)
        linked = World.recorder(world, here, trap: false)
        other = World.recorder(world, there, trap: false)
        World.tell(world, linked, fn -> Process.link(other) end)
        World.tell(world, watcher, fn -> Process.monitor(linked) end)
        watcher
      end

    World.settle(world)
    World.disconnect(world, a, b)
    for watcher <- watchers, do: World.log(world, watcher, 1)
  end

  scenario "R-LNK4 a lost link does not come back", world do
    [a, b] = World.cluster(world, 2)
    target = World.recorder(world, b)
    recorder = World.recorder(world, a)
    World.tell(world, recorder, fn -> {Process.link(target), Process.monitor(target)} end)
    World.disconnect(world, a, b)
    lost = World.log(world, recorder, 2)
    World.connect(world, [a, b])
    World.call(world, b, fn -> Process.exit(target, :kill) end)
    World.settle(world)
    {lost, World.log(world, recorder) -- lost}
  end
end
