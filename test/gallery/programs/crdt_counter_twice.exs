defmodule Gallery.CrdtCounterTwice do
  use Gallery.Program,
    kind: :distribution,
    bug: "increments are sent on as a number to add: one that is sent again, for its receipt is late, counts twice"

  alias Lockstep.Cluster

  defmodule Counter do
    use Lockstep
    use GenServer

    def start_link(merge), do: GenServer.start_link(__MODULE__, merge, name: __MODULE__)
    def init(merge), do: {:ok, %{merge: merge, counts: %{}}}

    def handle_call(:value, _from, state), do: {:reply, state.counts |> Map.values() |> Enum.sum(), state}
    def handle_call({:join, counts}, _from, state), do: {:reply, :ok, join(state, counts)}
    def handle_call({:add, n}, _from, state), do: {:reply, :ok, update_in(state.counts[node()], &((&1 || 0) + n))}
    def handle_call(:counts, _from, state), do: {:reply, state.counts, state}

    defp join(state, counts),
      do: %{state | counts: Map.merge(state.counts, counts, fn _, a, b -> state.merge.(a, b) end)}
  end

  def buggy, do: count(&Kernel.+/2)
  def fixed, do: count(&Kernel.max/2)

  defp count(merge) do
    Cluster.start_nodes([:a, :b], start: fn -> {:ok, _} = Counter.start_link(merge) end)
    Cluster.run(:a, fn -> add_and_tell(3) end)
    assert GenServer.call({Counter, :b}, :value) == 3
  end

  defp add_and_tell(n) do
    GenServer.call(Counter, {:add, n})
    tell(GenServer.call(Counter, :counts))
  end

  # Until the other has it.
  defp tell(counts) do
    GenServer.call({Counter, :b}, {:join, counts}, 50)
  catch
    :exit, {:timeout, _call} -> tell(counts)
  end
end
