defmodule Gallery.StaleFollowerRead do
  use Gallery.Program,
    kind: :distribution,
    bug: "the leader answers before its followers have the write, and reads go to a follower"

  alias Lockstep.Cluster

  defmodule Replica do
    use Lockstep
    use GenServer

    def start_link(followers), do: GenServer.start_link(__MODULE__, followers, name: __MODULE__)
    def init(followers), do: {:ok, %{followers: followers, value: nil}}

    def handle_call(:read, _from, state), do: {:reply, state.value, state}

    def handle_call({:write, value}, _from, state) do
      for node <- state.followers, do: GenServer.cast({__MODULE__, node}, {:replicate, value})
      {:reply, :ok, %{state | value: value}}
    end

    def handle_cast({:replicate, value}, state), do: {:noreply, %{state | value: value}}
  end

  def buggy, do: read_own_write(:b)
  def fixed, do: read_own_write(:a)

  defp read_own_write(reader) do
    Cluster.start_nodes([:b, :c], start: fn -> {:ok, _} = Replica.start_link([]) end)
    Cluster.start_nodes([:a], start: fn -> {:ok, _} = Replica.start_link([:b, :c]) end)

    Cluster.run(:c, fn ->
      :ok = GenServer.call({Replica, :a}, {:write, 1})
      assert GenServer.call({Replica, reader}, :read) == 1
    end)
  end
end
