defmodule Gallery.GossipLostIncrements do
  use Gallery.Program,
    kind: :distribution,
    bug: "a node takes its own count, too, from the gossip of another one, which is older than its own"

  alias Lockstep.Cluster

  defmodule Counter do
    use Lockstep
    use GenServer

    def start_link(other, merge), do: GenServer.start_link(__MODULE__, {other, merge}, name: __MODULE__)
    def init({other, merge}), do: {:ok, %{other: other, merge: merge, counts: %{}}}

    def handle_call(:counts, _from, state), do: {:reply, state.counts, state}

    def handle_call(:increment, _from, state) do
      state = update_in(state.counts[node()], &((&1 || 0) + 1))
      GenServer.cast({__MODULE__, state.other}, {:gossip, state.counts})
      {:reply, :ok, state}
    end

    def handle_cast({:gossip, counts}, state), do: {:noreply, %{state | counts: state.merge.(state.counts, counts)}}
  end

  def buggy, do: count(&Map.merge/2)
  def fixed, do: count(&Map.merge(&1, &2, fn _node, here, there -> max(here, there) end))

  defp count(merge) do
    for {node, other} <- [a: :b, b: :a],
        do: Cluster.start_nodes([node], start: fn -> {:ok, _} = Counter.start_link(other, merge) end)

    together(for node <- [:a, :b], do: fn -> for _ <- 1..2, do: GenServer.call({Counter, node}, :increment) end)
    Cluster.settle()
    assert GenServer.call({Counter, :a}, :counts) == %{a: 2, b: 2}
  end
end
