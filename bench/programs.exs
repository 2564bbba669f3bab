# The programs of which whole runs are measured.
defmodule Bench.Programs do
  @moduledoc false
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
