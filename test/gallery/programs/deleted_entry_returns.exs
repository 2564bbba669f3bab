defmodule Gallery.DeletedEntryReturns do
  use Gallery.Program,
    kind: :distribution,
    bug: "an entry that was deleted comes back from a replica that has not heard of it: nothing is kept of a deletion"

  alias Lockstep.Cluster

  defmodule Replica do
    use Lockstep
    use GenServer

    def start_link(tombstones), do: GenServer.start_link(__MODULE__, tombstones, name: __MODULE__)
    def init(tombstones), do: {:ok, %{tombstones: tombstones, entries: %{}}}

    def handle_call(:all, _from, state),
      do: {:reply, for({key, {_, {:value, v}}} <- state.entries, do: {key, v}), state}

    def handle_call({:put, key, value}, _from, state), do: {:reply, :ok, change(state, key, {:value, value})}
    def handle_call({:delete, key}, _from, state), do: {:reply, :ok, state |> change(key, :deleted) |> bury()}

    def handle_cast({:sync, entries}, state) do
      {:noreply, bury(%{state | entries: Map.merge(state.entries, entries, fn _, a, b -> max(a, b) end)})}
    end

    def handle_cast({:sync_with, node}, state) do
      GenServer.cast({__MODULE__, node}, {:sync, state.entries})
      {:noreply, state}
    end

    defp change(state, key, value) do
      {version, _} = Map.get(state.entries, key, {0, nil})
      put_in(state.entries[key], {version + 1, value})
    end

    defp bury(%{tombstones: true} = state), do: state
    defp bury(state), do: %{state | entries: Map.reject(state.entries, fn {_, {_, value}} -> value == :deleted end)}
  end

  def buggy, do: delete(false)
  def fixed, do: delete(true)

  defp delete(tombstones) do
    Cluster.start_nodes([:a, :b], start: fn -> {:ok, _} = Replica.start_link(tombstones) end)
    GenServer.call({Replica, :a}, {:put, :user, "Ada"})
    together([&sync/0, fn -> GenServer.call({Replica, :a}, {:delete, :user}) end])
    Cluster.settle()
    assert GenServer.call({Replica, :a}, :all) == []
  end

  defp sync do
    for {node, other} <- [a: :b, b: :a], do: GenServer.cast({Replica, node}, {:sync_with, other}) && Process.sleep(20)
  end
end
