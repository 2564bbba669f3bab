defmodule Gallery.NewsOvertakesWrite do
  use Gallery.Program,
    kind: :distribution,
    bug: "the news of a write reaches another node before the write, which was a cast, has reached the store"

  alias Lockstep.Cluster

  defmodule Store do
    use Lockstep
    use GenServer

    def start_link, do: GenServer.start_link(__MODULE__, %{}, name: __MODULE__)
    def init(entries), do: {:ok, entries}
    def handle_cast({:put, key, value}, entries), do: {:noreply, Map.put(entries, key, value)}
    def handle_call({:put, key, value}, _from, entries), do: {:reply, :ok, Map.put(entries, key, value)}
    def handle_call({:get, key}, _from, entries), do: {:reply, entries[key], entries}
  end

  def buggy, do: upload(&GenServer.cast/2)
  def fixed, do: upload(&GenServer.call/2)

  defp get(key), do: GenServer.call({Store, :store}, {:get, key})

  # One node stores a picture and tells another one, which then shows it.
  defp upload(put) do
    Cluster.start_nodes([:store], start: fn -> {:ok, _} = Store.start_link() end)
    Cluster.start_nodes([:uploader, :viewer])

    test = self()
    viewer = Cluster.spawn(:viewer, fn -> receive(do: ({:uploaded, key} -> send(test, {:shown, get(key)}))) end)

    Cluster.run(:uploader, fn ->
      put.({Store, :store}, {:put, :cat, "picture"})
      send(viewer, {:uploaded, :cat})
    end)

    assert_receive {:shown, "picture"}
  end
end
