defmodule Oracle.Scenarios.Partitions do
  @moduledoc false
  # 3.8: overlapping partitions, and what prevents them.
  use Oracle.Scenario

  scenario "R-POP1 a disconnection isolates all three", world do
    after_fault(world, 3, [], fn [a, _, c] -> World.call(world, a, fn -> Node.disconnect(c) end) end)
  end

  scenario "R-POP1 a reset isolates all three", world, compare: :one_of do
    after_fault(world, 3, [], fn [a, _, c] -> World.reset(world, a, c) end)
  end

  scenario "R-POP2 two of four cut off from each other", world, compare: :one_of do
    after_fault(world, 4, [], fn [a, b | _] -> World.reset(world, a, b) end)
  end

  scenario "R-POP3 a silent cut of one link of three", world, compare: :one_of do
    after_fault(world, 3, [ticktime: 2], fn [_, b, c] ->
      World.cut(world, b, c)
      World.await(world, fn -> c not in World.nodes(world, b) or b not in World.nodes(world, c) end)
      World.sleep(world, 1_500)
    end)
  end

  scenario "R-POP3 a silent cut of one link of four", world, compare: :one_of do
    after_fault(world, 4, [ticktime: 2], fn [a, b | _] ->
      World.cut(world, a, b)
      World.await(world, fn -> b not in World.nodes(world, a) or a not in World.nodes(world, b) end)
      World.sleep(world, 1_500)
    end)
  end

  scenario "R-POP4 a bisection by resets", world do
    after_fault(world, 4, [], fn [a, b, c, d] ->
      for one <- [a, b], other <- [c, d], do: World.refuse(world, one, other)
      for one <- [a, b], other <- [c, d], do: World.reset(world, one, other)
    end)
  end

  scenario "R-POP4 a silent bisection", world do
    after_fault(world, 4, [ticktime: 2], fn [a, b, c, d] ->
      for one <- [a, b], other <- [c, d], do: World.cut(world, one, other)
      World.await(world, fn -> Enum.all?([a, b, c, d], &(length(World.nodes(world, &1)) == 1)) end)
      World.sleep(world, 1_000)
    end)
  end

  scenario "R-POP5 without prevention one link is lost", world do
    after_fault(world, 3, [prevent_overlapping_partitions: false], fn [a, _, c] ->
      World.call(world, a, fn -> Node.disconnect(c) end)
    end)
  end

  scenario "R-POP6 nobody comes back by itself", world do
    after_fault(world, 3, [], fn [a, _, c] ->
      World.call(world, a, fn -> Node.disconnect(c) end)
      World.sleep(world, 4_000)
    end)
  end

  scenario "R-POP6 leaving the cluster in order", world do
    after_fault(world, 3, [], fn [a | _] -> World.call(world, a, fn -> :global.disconnect() end) end)
  end

  scenario "R-POP1 what each hears of it", world, compare: :one_of do
    nodes = [a, _, c] = World.cluster(world, 3)

    recorders =
      for node <- nodes do
        recorder = World.recorder(world, node)
        World.tell(world, recorder, fn -> :net_kernel.monitor_nodes(true, [:nodedown_reason]) end)
        recorder
      end

    World.call(world, a, fn -> Node.disconnect(c) end)
    for recorder <- recorders, do: World.log(world, recorder, 2)
  end

  defp after_fault(world, count, options, fault) do
    nodes = World.cluster(world, count, options)
    fault.(nodes)
    World.sleep(world, 1_000)
    for node <- nodes, do: World.nodes(world, node)
  end
end
