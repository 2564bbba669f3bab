defmodule Gallery.LockWithoutFencing do
  use Gallery.Program,
    kind: :distribution,
    bug: "the store takes a write of a worker whose lock has run out, and that another one holds by now"

  alias Lockstep.Cluster

  defmodule Lock do
    use Lockstep
    use GenServer

    def start_link, do: GenServer.start_link(__MODULE__, nil, name: __MODULE__)
    def init(_), do: {:ok, %{token: 0, until: System.monotonic_time(:millisecond)}}

    # Who gets the lock has it for so long, and a token greater than all before.
    def handle_call({:lock, length}, _from, %{token: token, until: until} = state) do
      now = System.monotonic_time(:millisecond)

      if now >= until,
        do: {:reply, {:ok, token + 1}, %{token: token + 1, until: now + length}},
        else: {:reply, :taken, state}
    end
  end

  defmodule Store do
    use Lockstep
    use GenServer

    def start_link(fencing), do: GenServer.start_link(__MODULE__, fencing, name: __MODULE__)
    def init(fencing), do: {:ok, %{fencing: fencing, token: 0, value: 0}}

    def handle_call({_, token, _}, _from, %{fencing: true} = state) when token < state.token,
      do: {:reply, :stale, state}

    def handle_call({:get, token, _}, _from, state), do: {:reply, state.value, %{state | token: token}}
    def handle_call({:put, token, value}, _from, state), do: {:reply, :ok, %{state | token: token, value: value}}
  end

  def buggy, do: count(false)
  def fixed, do: count(true)

  defp count(fencing) do
    Cluster.start_nodes([:lock], start: fn -> {:ok, _} = Lock.start_link() end)
    Cluster.start_nodes([:store], start: fn -> {:ok, _} = Store.start_link(fencing) end)
    Cluster.start_nodes([:a, :b])
    Cluster.set_latency([{3, 0..10}, {1, 0..100}])
    done = together(for node <- [:a, :b], do: fn -> Cluster.run(node, &add_one/0) end)
    assert GenServer.call({Store, :store}, {:get, 100, nil}) == Enum.count(done, &(&1 == :ok))
  end

  defp add_one do
    case GenServer.call({Lock, :lock}, {:lock, 50}) do
      {:ok, token} -> with n when is_integer(n) <- store(:get, token, nil), do: store(:put, token, n + 1)
      :taken -> Process.sleep(20) && add_one()
    end
  end

  defp store(what, token, value), do: GenServer.call({Store, :store}, {what, token, value})
end
