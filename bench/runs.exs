# How many runs a second? From a run of nothing to a cluster with faults, one after the other, with everything that a
# sweep does for each: set-up, the run itself, tear-down, the account of what was covered.
#
#     MIX_ENV=test mix run bench/runs.exs
Code.require_file("support.exs", __DIR__)
Bench.Table.script(__ENV__.file)

defmodule Bench.Runs do
  use Lockstep

  alias Lockstep.Cluster

  def empty, do: :ok

  # Three processes that send the main process three messages each: 27 steps.
  def race do
    main = self()
    for n <- 1..3, do: spawn(fn -> for k <- 1..3, do: send(main, {n, k}) end)
    for _ <- 1..9, do: receive(do: ({_, _} -> :ok))
  end

  # The same with a table that all of them change.
  def table do
    main = self()
    table = :ets.new(:shared, [:public])
    for n <- 1..3, do: spawn(fn -> for(_ <- 1..3, do: increment(table)) && send(main, {:done, n}) end)
    for n <- 1..3, do: receive(do: ({:done, ^n} -> :ok))
  end

  defp increment(table) do
    value = :ets.lookup_element(table, :key, 2)
    :ets.insert(table, {:key, value + 1})
  rescue
    ArgumentError -> :ets.insert(table, {:key, 1})
  end

  # A GenServer with two clients.
  def server do
    {:ok, agent} = Agent.start_link(fn -> 0 end)
    tasks = for _ <- 1..2, do: Task.async(fn -> Agent.update(agent, &(&1 + 1)) end)
    Task.await_many(tasks)
    2 = Agent.get(agent, & &1)
  end

  # Replicas on three nodes tell each other what was written, while one of them is cut off.
  def partition do
    [a, b, c] = nodes = Cluster.start_nodes([:a, :b, :c])
    main = self()
    for node <- nodes, do: Cluster.spawn(node, fn -> replica(main) end)
    for _ <- nodes, do: receive(do: (:ready -> :ok))
    Cluster.partition([a], [b, c], :defer)

    for node <- nodes,
        peer <- nodes,
        peer != node,
        do: Cluster.spawn(node, fn -> send({:replica, peer}, {:write, node}) end)

    Process.sleep(100)
    Cluster.heal()
    for _ <- 1..6, do: receive(do: ({:written, _, _} -> :ok))
  end

  defp replica(main) do
    Process.register(self(), :replica)
    send(main, :ready)
    written(main)
  end

  defp written(main) do
    receive do: ({:write, key} -> send(main, {:written, node(), key}))
    written(main)
  end

  # Five nodes that tell each other what they know, ten times, under faults; once all is mended they tell once more.
  def cluster do
    nodes = Cluster.start_nodes([:a, :b, :c, :d, :e], start: &start/0)
    Process.sleep(500)
    Cluster.settle()
    for node <- nodes, do: send({:gossip, node}, :tell)
    Process.sleep(500)
    for node <- nodes, do: ^nodes = known(node)
  end

  defp start, do: spawn(fn -> Process.register(self(), :gossip) && gossip([node()], 10) end)

  defp gossip(known, rounds) do
    receive do
      {:known, others} -> gossip(Enum.uniq(others ++ known), rounds)
      {:ask, from} -> send(from, {:answer, Enum.sort(known)}) && gossip(known, rounds)
      :tell -> tell(known) && gossip(known, rounds)
    after
      if(rounds > 0, do: 20, else: :infinity) -> tell(known) && gossip(known, rounds - 1)
    end
  end

  defp tell(known), do: for(node <- Node.list(), do: send({:gossip, node}, {:known, known}))

  defp known(node) do
    send({:gossip, node}, {:ask, self()})
    receive do: ({:answer, known} -> known)
  end

  # A thousand processes, each of which answers once.
  def thousand do
    main = self()
    pids = for _ <- 1..1000, do: spawn(fn -> receive(do: (:ask -> send(main, :answer))) end)
    for pid <- pids, do: send(pid, :ask)
    for _ <- pids, do: receive(do: (:answer -> :ok))
  end
end

defmodule Bench.Runs.Cases do
  @faults [partition: true, crash: [max: 1], latency: 0..50, clock_skew: 500]

  # A program, its options, and in how many runs it is measured.
  def all do
    [
      {"empty run", &Bench.Runs.empty/0, [], 100},
      {"race of 3 processes by messages", &Bench.Runs.race/0, [], 50},
      {"race of 3 processes by a table", &Bench.Runs.table/0, [], 50},
      {"an Agent and 2 Tasks", &Bench.Runs.server/0, [], 20},
      {"3 nodes, a partition that heals", &Bench.Runs.partition/0, [], 20},
      {"5 nodes under faults", &Bench.Runs.cluster/0, [faults: @faults], 4},
      {"1,000 processes", &Bench.Runs.thousand/0, [], 3}
    ]
  end

  def measured({name, fun, options, runs}) do
    runs = Bench.size(runs, 2)
    {name, runs, fn -> Lockstep.Runner.run(fun, [seeds: runs] ++ options) end}
  end

  # A run as it is on the average.
  def steps({_name, fun, options, runs}) do
    summary = Lockstep.Runner.run(fun, [seeds: max(Bench.size(runs, 2), 2)] ++ options)
    summary.steps / summary.runs
  end
end

cases = Bench.Runs.Cases.all()
[bare | rows] = Bench.measure([Bench.Bare.hand_off() | Enum.map(cases, &Bench.Runs.Cases.measured/1)], 25)
Bench.Table.write(rows, bare)

Bench.Table.plain(
  ["one run", "best", "median", "runs a second", "of CPU time", "steps", "ns a step", "times bare hand-off"],
  for {case_, row} <- Enum.zip(cases, rows) do
    steps = Bench.Runs.Cases.steps(case_)
    times = [Bench.Table.time(row.best), Bench.Table.time(row.median), Bench.Table.rate(row.best)]
    steps = [Bench.Table.decimals(steps, 1), Bench.Table.decimals(row.best / steps, 0)]
    [row.name | times] ++ [Bench.Table.rate(row.cpu) | steps] ++ [Bench.Table.decimals(row.best / bare.best, 0)]
  end
)

IO.puts("bare hand-off: #{Bench.Table.time(bare.best)}")
