defmodule Oracle.Scenarios.Database do
  @moduledoc false
  # 3.10: mnesia, with copies in memory.
  use Oracle.Scenario

  scenario "R-MNESIA a database that was split", world do
    [a, b] = database(world, ticktime: 2)
    recorders = for node <- [a, b], do: subscriber(world, node)
    World.cut(world, a, b)
    World.await(world, fn -> World.nodes(world, a) == [] and World.nodes(world, b) == [] end)
    World.settle(world)
    written = for {node, value} <- [{a, :from_a}, {b, :from_b}], do: write(world, node, value)
    World.heal(world, a, b)
    World.connect(world, [a, b])
    World.sleep(world, 1_000)

    {written, for(node <- [a, b], do: read(world, node)), for(node <- [a, b], do: running(world, node)),
     for(recorder <- recorders, do: world |> World.log(recorder) |> Enum.map(&event/1))}
  end

  scenario "R-MNESIA-BLOCK a transaction during a silent cut", world do
    [a, b] = database(world, ticktime: 4)
    World.sleep(world, 1_500)
    World.cut(world, a, b)
    {answer, took} = World.timed(world, fn -> write(world, a, :alone) end)
    {answer, took > 1_500, read(world, a), running(world, a)}
  end

  defp database(world, options) do
    nodes = [a, b] = World.cluster(world, 2, options)
    for node <- nodes, do: World.call(world, node, fn -> :ok = :mnesia.start() end)

    World.call(world, a, fn ->
      {:ok, [^b]} = :mnesia.change_config(:extra_db_nodes, [b])
      {:atomic, :ok} = :mnesia.create_table(:table, ram_copies: [a, b])
    end)

    {:atomic, :ok} = write(world, b, :together)
    nodes
  end

  defp subscriber(world, node) do
    recorder = World.recorder(world, node)
    World.tell(world, recorder, fn -> {:ok, _} = :mnesia.subscribe(:system) end)
    recorder
  end

  defp write(world, node, value) do
    World.call(world, node, fn -> :mnesia.transaction(fn -> :mnesia.write({:table, :key, value}) end) end)
  end

  defp read(world, node), do: World.call(world, node, fn -> :mnesia.dirty_read(:table, :key) end)
  defp running(world, node), do: World.call(world, node, fn -> Enum.sort(:mnesia.system_info(:running_db_nodes)) end)

  # The text of a message is no part of what is promised.
  defp event({:mnesia_system_event, {kind, _format, _arguments}}) when kind in [:mnesia_info, :mnesia_error], do: kind
  defp event(event), do: event
end
