defmodule Gallery.ForgottenPromise do
  use Gallery.Program,
    kind: :lifecycle,
    bug: "an acceptor of Paxos restarts without what it has promised and accepted: two values are chosen"

  alias Lockstep.Cluster

  defmodule Acceptor do
    use Lockstep
    use GenServer

    def start_link(disk), do: GenServer.start_link(__MODULE__, disk, name: __MODULE__)
    def init(disk), do: {:ok, {disk, load(disk)}}

    def handle_info({:prepare, ballot, proposer}, {disk, {promised, accepted}}) when ballot > promised do
      reply(proposer, {:promise, ballot, accepted}, disk, {ballot, accepted})
    end

    def handle_info({{:accept, value}, ballot, proposer}, {disk, {promised, _}}) when ballot >= promised do
      reply(proposer, {:accepted, ballot, value}, disk, {ballot, {ballot, value}})
    end

    def handle_info(_late, state), do: {:noreply, state}

    defp reply(proposer, message, disk, state) do
      if disk, do: Agent.update(disk, &Map.put(&1, node(), state))
      send(proposer, message)
      {:noreply, {disk, state}}
    end

    defp load(nil), do: {0, {0, nil}}
    defp load(disk), do: Agent.get(disk, &Map.get(&1, node(), {0, {0, nil}}))
  end

  @acceptors [:a, :b, :c]

  def buggy, do: choose(nil)

  def fixed do
    {:ok, disk} = Agent.start_link(fn -> %{} end)
    choose(disk)
  end

  defp choose(disk) do
    start = fn -> {:ok, _} = Acceptor.start_link(disk) end
    Cluster.start_nodes(@acceptors, start: start)
    Cluster.start_nodes([:p, :q])
    Cluster.partition([:p], [:c])
    proposers = for {node, ballot} <- [p: 1, q: 2], do: fn -> Cluster.run(node, fn -> propose(ballot, node) end) end
    chosen = together([fn -> restart(start) end | proposers])
    refute :p in chosen and :q in chosen
  end

  defp restart(start) do
    node = Enum.random([:a, :b])
    Process.sleep(Enum.random(0..20))
    Cluster.crash_node(node)
    Cluster.start_node(node, start)
  end

  defp propose(ballot, value) do
    Process.sleep(Enum.random(0..20))
    ask(:prepare, ballot)

    with [_, _] = promises <-
           majority(fn -> receive(do: ({:promise, ^ballot, accepted} -> accepted), after: (50 -> nil)) end),
         value = elem(Enum.max(promises), 1) || value,
         ask({:accept, value}, ballot),
         [_, _] <- majority(fn -> receive(do: ({:accepted, ^ballot, value} -> value), after: (50 -> nil)) end) do
      value
    else
      _ -> :none
    end
  end

  defp ask(request, ballot), do: for(node <- @acceptors, do: send({Acceptor, node}, {request, ballot, self()}))

  defp majority(next), do: for(_ <- 1..2, answer = next.(), do: answer)
end
