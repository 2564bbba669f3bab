defmodule Oracle.Scenarios.Partitions do
  @moduledoc false
  # 3.8: overlapping partitions, and what prevents them.
  use Oracle.Scenario

  @no_resets "the simulated network resets no connections"

  scenario "R-POP1 a disconnection isolates its ends", world, compare: :ends_leave do
    after_fault(world, 3, [], fn [_, b, c] -> World.call(world, b, fn -> Node.disconnect(c) end) end)
  end

  scenario "R-POP1 a reset isolates", world, compare: :one_of, simulated: false, because: @no_resets do
    after_fault(world, 3, [], fn [a, _, c] -> World.reset(world, a, c) end)
  end

  # Who hears of the loss from a third node before it hears of it itself has nothing to tell any more.
  scenario "R-POP1 a disconnection of which the other end hears late", world do
    after_fault(world, 3, [], fn [a, _, c] ->
      World.delay_both(world, a, c, 200)
      World.call(world, a, fn -> Node.disconnect(c) end)
    end)
  end

  scenario "R-POP2 two of four part, of which one hears late", world do
    after_fault(world, 4, [], fn [a, b | _] ->
      World.delay_both(world, a, b, 200)
      World.call(world, a, fn -> Node.disconnect(b) end)
    end)
  end

  scenario "R-POP2 two of four part", world, compare: :ends_leave do
    after_fault(world, 4, [], fn [_, _, c, d] -> World.call(world, c, fn -> Node.disconnect(d) end) end)
  end

  scenario "R-POP2 a reset between two of four", world, compare: :one_of, simulated: false, because: @no_resets do
    after_fault(world, 4, [], fn [a, b | _] -> World.reset(world, a, b) end)
  end

  scenario "R-POP3 a silent cut of one link of three", world, compare: :ends_leave do
    after_fault(world, 3, [ticktime: 2], fn [_, b, c] ->
      World.cut(world, b, c)
      World.await(world, fn -> c not in World.nodes(world, b) or b not in World.nodes(world, c) end)
      World.sleep(world, 1_500)
    end)
  end

  scenario "R-POP3 a silent cut of one link of four", world, compare: :ends_leave do
    after_fault(world, 4, [ticktime: 2], fn [_, _, a, b] ->
      World.cut(world, a, b)
      World.await(world, fn -> b not in World.nodes(world, a) or a not in World.nodes(world, b) end)
      World.sleep(world, 1_500)
    end)
  end

  scenario "R-POP4 a bisection by resets", world, simulated: false, because: @no_resets do
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

  scenario "R-POP6 nobody comes back by itself", world, compare: :ends_leave do
    after_fault(world, 3, [], fn [_, b, c] ->
      World.call(world, b, fn -> Node.disconnect(c) end)
      World.sleep(world, 4_000)
    end)
  end

  scenario "R-POP6 leaving the cluster in order", world do
    after_fault(world, 3, [], fn [a | _] -> World.call(world, a, fn -> :global.disconnect() end) end)
  end

  scenario "R-POP1 what each hears of it", world do
    nodes = [a, _, c] = World.cluster(world, 3)

    recorders =
      for node <- nodes do
        recorder = World.recorder(world, node)
        World.tell(world, recorder, fn -> :net_kernel.monitor_nodes(true, [:nodedown_reason]) end)
        recorder
      end

    World.delay_both(world, a, c, 200)
    World.call(world, a, fn -> Node.disconnect(c) end)
    World.await(world, fn -> World.nodes(world, c) == [] end)
    World.settle(world)
    for recorder <- recorders, do: World.log(world, recorder)
  end

  # The two greatest nodes are the ends of the link. Who notices first stays and the other goes, or both go; the rest
  # keep together.
  def ends_leave(lists) do
    nodes = for n <- 1..length(lists), do: :"n#{n}"
    ends = Enum.take(nodes, -2)

    outcomes =
      for gone <- [[hd(ends)], [List.last(ends)], ends] do
        for node <- nodes, do: if(node in gone, do: [], else: nodes -- [node | gone])
      end

    lists in outcomes
  end

  defp after_fault(world, count, options, fault) do
    nodes = World.cluster(world, count, options)
    fault.(nodes)
    World.sleep(world, 1_000)
    for node <- nodes, do: World.nodes(world, node)
  end
end
