defmodule Gallery.DeadPeerReadded do
  use Gallery.Program,
    kind: :distribution,
    bug: "the late answer to a ping puts a peer back on the list whose death has been seen already"

  alias Lockstep.Cluster

  defmodule Members do
    use Lockstep
    use GenServer

    def start_link(heard), do: GenServer.start_link(__MODULE__, heard, name: __MODULE__)
    def init(heard), do: {:ok, %{heard: heard, members: MapSet.new()}}

    def handle_call(:members, _from, state), do: {:reply, MapSet.to_list(state.members), state}

    def handle_call({:join, pid}, _from, state) do
      Process.monitor(pid)
      {:reply, :ok, update_in(state.members, &MapSet.put(&1, pid))}
    end

    def handle_cast({:heard_from, pid}, state), do: {:noreply, update_in(state.members, &state.heard.(&1, pid))}
    def handle_info({:DOWN, _, _, pid, _}, state), do: {:noreply, update_in(state.members, &MapSet.delete(&1, pid))}
  end

  def buggy, do: ping_and_die(fn members, pid -> MapSet.put(members, pid) end)
  def fixed, do: ping_and_die(fn members, _pid -> members end)

  defp ping_and_die(heard) do
    Cluster.start_nodes([:a], start: fn -> {:ok, _} = Members.start_link(heard) end)
    Cluster.start_nodes([:b])
    peer = Cluster.spawn(:b, fn -> receive(do: ({:ping, from} -> send(from, {:pong, self()}))) end)
    GenServer.call({Members, :a}, {:join, peer})
    Cluster.run(:a, fn -> ping(peer) end)
    Cluster.settle()
    assert GenServer.call({Members, :a}, :members) == []
  end

  # The peer answers once, and ends.
  defp ping(peer) do
    send(peer, {:ping, self()})
    receive(do: ({:pong, ^peer} -> GenServer.cast(Members, {:heard_from, peer})))
  end
end
