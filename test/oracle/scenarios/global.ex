defmodule Oracle.Scenarios.Global do
  @moduledoc false
  # 3.7: global names and locks.
  use Oracle.Scenario

  alias Oracle.Work

  scenario "R-GL1 a name is everywhere once it is registered", world do
    [a, b, c] = World.cluster(world, 3)
    [one, two] = for node <- [a, b], do: World.recorder(world, node)
    yes = World.call(world, a, fn -> :global.register_name(:name, one) end)
    seen = for node <- [a, b, c], do: World.call(world, node, fn -> :global.whereis_name(:name) end) == one
    no = World.call(world, b, fn -> :global.register_name(:name, two) end)
    World.call(world, c, fn -> :global.send(:name, :hello) end)
    unknown = World.outcome(world, c, fn -> :global.send(:unknown, :hello) end)
    names = World.call(world, c, fn -> :global.registered_names() end)
    unregistered = World.call(world, c, fn -> :global.unregister_name(:name) end)
    gone = for node <- [a, b, c], do: World.call(world, node, fn -> :global.whereis_name(:name) end)
    {yes, seen, no, World.log(world, one, 1), unknown, names, unregistered, gone}
  end

  scenario "R-GL1 lookups during a cut", world do
    [a, b] = World.cluster(world, 2)
    one = World.recorder(world, a)
    World.call(world, a, fn -> :global.register_name(:name, one) end)
    World.cut(world, a, b)
    {found, took} = World.timed(world, fn -> World.call(world, b, fn -> :global.whereis_name(:name) end) == one end)
    {found, took < 500}
  end

  scenario "R-GL1 calls by global name", world do
    [a, b] = World.cluster(world, 2)
    World.call(world, a, fn -> {:ok, _} = GenServer.start(Oracle.Server, nil, name: {:global, :server}) end)

    World.call(world, b, fn ->
      [
        call: Outcome.of(fn -> GenServer.call({:global, :server}, :node) end),
        second: Outcome.of(fn -> GenServer.start(Oracle.Server, nil, name: {:global, :server}) end),
        missing: Outcome.of(fn -> GenServer.call({:global, :missing}, :node) end),
        cast: Outcome.of(fn -> GenServer.cast({:global, :missing}, :hello) end),
        whereis: Outcome.of(fn -> GenServer.whereis({:global, :missing}) end)
      ]
    end)
  end

  scenario "R-GL2 a name ends with its process", world do
    [a, b] = World.cluster(world, 2)
    one = World.recorder(world, a)
    World.call(world, a, fn -> :global.register_name(:name, one) end)
    World.call(world, a, fn -> Process.exit(one, :kill) end)
    lookup = fn node -> World.call(world, node, fn -> :global.whereis_name(:name) end) end
    World.await(world, fn -> lookup.(a) == :undefined and lookup.(b) == :undefined end, 5_000)
  end

  scenario "R-GL3 names of a lost node, and of one that is back", world do
    [a, b] = World.cluster(world, 2)
    one = World.recorder(world, a)
    World.call(world, a, fn -> :global.register_name(:name, one) end)
    lookup = fn -> World.call(world, b, fn -> :global.whereis_name(:name) end) end
    World.disconnect(world, a, b)
    lost = World.await(world, fn -> lookup.() == :undefined end, 5_000)
    own = World.call(world, a, fn -> :global.whereis_name(:name) end) == one
    World.connect(world, [a, b])
    {lost, own, World.await(world, fn -> lookup.() == one end, 5_000)}
  end

  for {resolver, title} <- [
        random_exit_name: "the process of the greater node is killed",
        random_notify_name: "the loser is told",
        notify_all_name: "both are told"
      ] do
    scenario "R-GL4 #{resolver}: #{title}", world do
      conflict(world, &(:global.unquote(resolver) / 3))
    end
  end

  for resolver <- [:keep_first, :keep_second, :keep_none, :keep_nonsense, :crash] do
    scenario "R-GL4 a resolver of one's own: #{resolver}", world do
      conflict(world, &(Work.unquote(resolver) / 3))
    end
  end

  # What a name of two nodes comes to when they meet: who is alive, whom each knows by the name, and what they were told.
  defp conflict(world, resolver) do
    [a, b] = World.start(world, 2)

    [one, two] =
      for node <- [a, b] do
        recorder = World.recorder(world, node)
        watcher = World.recorder(world, node)
        World.tell(world, watcher, fn -> Process.monitor(recorder) end)
        :yes = World.call(world, node, fn -> :global.register_name(:name, recorder, resolver) end)
        {recorder, watcher}
      end

    World.connect(world, [a, b])
    World.sleep(world, 500)
    known = for node <- [a, b], do: World.call(world, node, fn -> :global.whereis_name(:name) end)

    fates =
      for {{recorder, watcher}, node} <- [{one, a}, {two, b}] do
        alive? = World.call(world, node, fn -> Process.alive?(recorder) end)
        {if(alive?, do: {:alive, World.log(world, recorder)}, else: :dead), World.log(world, watcher)}
      end

    {known, fates}
  end

  scenario "R-GL5 locks", world do
    [a, b] = World.cluster(world, 2)
    holder = World.recorder(world, a)
    first = World.tell(world, holder, fn -> :global.set_lock({:resource, :one}) end)
    again = World.tell(world, holder, fn -> :global.set_lock({:resource, :one}) end)
    other = World.call(world, b, fn -> :global.set_lock({:resource, :two}, [a, b], 0) end)
    retried = World.call(world, b, fn -> :global.set_lock({:resource, :two}, [a, b], 1) end)
    same = World.call(world, b, fn -> :global.set_lock({:resource, :one}, [a, b], 0) end)
    World.call(world, a, fn -> Process.exit(holder, :kill) end)
    freed = World.call(world, b, fn -> :global.set_lock({:resource, :two}, [a, b], 5) end)
    {first, again, other, retried, same, freed}
  end

  scenario "R-GL5 transactions", world do
    [a, b] = World.cluster(world, 2)

    World.call(world, a, fn ->
      work = fn -> :global.set_lock({:resource, :other}, [node(), b], 0) end
      inside = :global.trans({:resource, self()}, work, [node(), b], 2)
      {inside, :global.trans({:resource, :other}, fn -> :free end, [node(), b], 0)}
    end)
  end

  scenario "R-GL6 registering waits for a silent node until it is given up", world do
    [a, b] = World.cluster(world, 2, ticktime: 4)
    one = World.recorder(world, a)
    World.sleep(world, 1_000)
    World.cut(world, a, b)
    task = Task.async(fn -> World.call(world, a, fn -> :global.register_name(:name, one) end) end)
    World.sleep(world, 1_500)
    early = Task.yield(task, 0)
    World.await(world, fn -> World.nodes(world, a) == [] and World.nodes(world, b) == [] end)
    World.heal(world, a, b)
    {early, Task.await(task, 60_000)}
  end

  # And then for several attempts to connect to it.
  scenario "R-GL6 registering while the silence lasts", world do
    [a, b] = World.cluster(world, 2, ticktime: 4)
    one = World.recorder(world, a)
    World.sleep(world, 1_000)
    World.cut(world, a, b)
    {answer, took} = World.timed(world, fn -> World.call(world, a, fn -> :global.register_name(:name, one) end) end)
    {answer, round((took - 4_000) / 7_000), World.nodes(world, a)}
  end

  scenario "R-GL8 names are there once nodes have synchronised", world do
    [a, b] = World.start(world, 2)
    one = World.recorder(world, a)
    World.call(world, a, fn -> :global.register_name(:name, one) end)
    World.call(world, b, fn -> Node.connect(a) && :global.sync() && :global.whereis_name(:name) end) == one
  end

  scenario "R-GL8 synchronising without a mesh never ends", world do
    [a, _b] = World.cluster(world, 2, connect_all: false)
    syncing = World.spawn(world, a, fn -> :global.sync() end)
    World.sleep(world, 3_000)
    World.call(world, a, fn -> Process.alive?(syncing) end)
  end

  # Supervisors of one global child each, on nodes that meet afterwards.
  scenario "R-GL4 supervisors of one global process (S1-5)", world do
    nodes = World.start(world, 3)

    watchers =
      for node <- nodes do
        watcher = World.recorder(world, node)
        supervisor = World.call(world, node, fn -> Oracle.Singleton.start() end)
        World.tell(world, watcher, fn -> Process.monitor(supervisor) end)
        watcher
      end

    World.connect(world, nodes)
    World.await(world, fn -> Enum.all?(tl(watchers), &(World.log(world, &1) != [])) end)
    World.sleep(world, 500)
    known = for node <- nodes, do: World.call(world, node, fn -> :global.whereis_name(:singleton) end)
    {known, Enum.map(watchers, &World.log(world, &1))}
  end
end
