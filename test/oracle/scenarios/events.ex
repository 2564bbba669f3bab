defmodule Oracle.Scenarios.Events do
  @moduledoc false
  # 3.3: what subscribers of nodes hear.
  use Oracle.Scenario

  @no_resets "the simulated network resets no connections"
  @shapes [
    plain: [],
    id: [:connection_id],
    reason: [:nodedown_reason],
    type: [node_type: :visible],
    everything: [:connection_id, :nodedown_reason, node_type: :all],
    map: %{},
    full_map: %{connection_id: true, nodedown_reason: true, node_type: :visible}
  ]

  scenario "R-EV0 shapes of events", world do
    [a, b] = World.start(world, 2)

    recorders =
      for {name, options} <- [{:none, nil} | @shapes] do
        recorder = World.recorder(world, a)
        World.tell(world, recorder, fn -> subscribe(options) end)
        {name, recorder}
      end

    World.connect(world, [a, b])
    World.disconnect(world, a, b)
    for {name, recorder} <- recorders, do: {name, world |> World.log(recorder, 2) |> Enum.map(&without_ids/1)}
  end

  defp subscribe(nil), do: :net_kernel.monitor_nodes(true)
  defp subscribe(options), do: :net_kernel.monitor_nodes(true, options)

  defp without_ids({event, node, info}) when is_list(info), do: {event, node, Enum.map(info, &without_id/1)}
  defp without_ids({event, node, info}) when is_map(info), do: {event, node, Map.new(info, &without_id/1)}
  defp without_ids(event), do: event

  defp without_id({:connection_id, id}), do: {:connection_id, if(is_integer(id), do: :integer)}
  defp without_id(other), do: other

  scenario "R-EV0 numbers of connections", world do
    [a, b] = World.start(world, 2, connect_all: false)
    recorder = World.recorder(world, a)
    World.tell(world, recorder, fn -> :net_kernel.monitor_nodes(true, [:connection_id]) end)

    for _ <- 1..3 do
      World.call(world, a, fn -> Node.connect(b) end)
      World.await(world, fn -> World.nodes(world, b) == [a] end)
      World.disconnect(world, a, b)
    end

    ids = for {_event, _node, connection_id: id} <- World.log(world, recorder, 6), do: id
    pairs = Enum.chunk_every(ids, 2)
    ups = Enum.map(pairs, &hd/1)
    {Enum.all?(pairs, &match?([id, id], &1)), ups == Enum.sort(ups), length(Enum.uniq(ups))}
  end

  scenario "R-EV0 bad options", world do
    [a] = World.start(world, 1)

    World.call(world, a, fn ->
      [
        :net_kernel.monitor_nodes(:maybe),
        :net_kernel.monitor_nodes(true, [:nonsense]),
        :net_kernel.monitor_nodes(true, node_type: :none),
        :net_kernel.monitor_nodes(false)
      ]
      |> Enum.map(fn answer -> if answer == :ok, do: :ok, else: :error end)
    end)
  end

  scenario "R-EV1 each subscription counts, one call ends all", world do
    [a, b] = World.start(world, 2)
    recorder = World.recorder(world, a)
    other = World.recorder(world, a)
    World.tell(world, recorder, fn -> for _ <- 1..3, do: :net_kernel.monitor_nodes(true) end)
    World.tell(world, recorder, fn -> :net_kernel.monitor_nodes(true, [:nodedown_reason]) end)
    World.tell(world, other, fn -> :net_kernel.monitor_nodes(true) end)
    World.connect(world, [a, b])
    three = World.log(world, recorder, 4)
    World.tell(world, recorder, fn -> :net_kernel.monitor_nodes(false) end)
    World.disconnect(world, a, b)
    World.log(world, other, 2)
    {three, World.log(world, recorder) -- three}
  end

  scenario "R-EV2 reasons of a disconnection", world do
    reasons(world, [], fn a, b -> World.disconnect(world, a, b) end)
  end

  scenario "R-EV2 reasons of a reset", world, simulated: false, because: @no_resets do
    reasons(world, [], fn a, b -> World.reset(world, a, b) end)
  end

  scenario "R-EV2 reasons of a silent cut", world do
    reasons(world, [ticktime: 2], fn a, b -> World.cut(world, a, b) end)
  end

  scenario "R-EV2 reasons of a death", world do
    [a, b] = World.cluster(world, 2)
    recorder = subscriber(world, a)
    World.kill(world, b)
    World.log(world, recorder, 1)
  end

  scenario "R-EV2 reasons of an end in order", world do
    [a, b] = World.cluster(world, 2)
    recorder = subscriber(world, a)
    World.stop(world, b)
    World.log(world, recorder, 1)
  end

  defp reasons(world, options, fault) do
    [a, b] = World.cluster(world, 2, options)
    recorders = for node <- [a, b], do: subscriber(world, node)
    fault.(a, b)
    for recorder <- recorders, do: World.log(world, recorder, 1)
  end

  defp subscriber(world, node) do
    recorder = World.recorder(world, node)
    World.tell(world, recorder, fn -> :net_kernel.monitor_nodes(true, [:nodedown_reason]) end)
    recorder
  end

  # Without `:global`, whose servers can lose step in such a storm and then talk for ever.
  scenario "R-EV3 nodeup and nodedown alternate", world do
    [a, b] = World.start(world, 2, connect_all: false)
    recorders = for node <- [a, b], do: World.recorder(world, node)
    for recorder <- recorders, do: World.tell(world, recorder, fn -> :net_kernel.monitor_nodes(true) end)

    World.call(world, a, fn ->
      for _ <- 1..10 do
        Node.connect(b)
        Node.disconnect(b)
      end
    end)

    World.sleep(world, 500)
    for recorder <- recorders, do: alternate?(World.log(world, recorder))
  end

  defp alternate?(log) do
    events = Enum.map(log, &elem(&1, 0))
    events == Enum.take(Stream.cycle([:nodeup, :nodedown]), length(events))
  end
end
