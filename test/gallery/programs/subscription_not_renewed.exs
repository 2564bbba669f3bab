defmodule Gallery.SubscriptionNotRenewed do
  use Gallery.Program,
    kind: :distribution,
    bug: "a subscriber does not subscribe again when its connection was lost, and the publisher has struck it off",
    options: [faults: [disconnect: [max: 1]]]

  alias Lockstep.Cluster

  defmodule Publisher do
    use Lockstep
    use GenServer

    def start_link, do: GenServer.start_link(__MODULE__, [], name: __MODULE__)
    def init(subscribers), do: {:ok, subscribers}

    def handle_call(:subscribe, {pid, _}, subscribers) do
      Process.monitor(pid)
      {:reply, :ok, Enum.uniq([pid | subscribers])}
    end

    def handle_cast({:publish, news}, subscribers) do
      for pid <- subscribers, do: send(pid, {:news, news})
      {:noreply, subscribers}
    end

    def handle_info({:DOWN, _, _, pid, _}, subscribers), do: {:noreply, List.delete(subscribers, pid)}
  end

  defmodule Subscriber do
    use Lockstep
    use GenServer

    def start_link(renew?), do: GenServer.start_link(__MODULE__, renew?, name: __MODULE__)
    def init(renew?), do: {:ok, %{renew?: renew?, news: nil}, {:continue, :subscribe}}
    def handle_call(:news, _from, state), do: {:reply, state.news, state}
    def handle_info({:news, news}, state), do: {:noreply, %{state | news: news}}
    def handle_info({:DOWN, _, _, _, _}, %{renew?: true} = state), do: {:noreply, state, {:continue, :subscribe}}
    def handle_info({:DOWN, _, _, _, _}, state), do: {:noreply, state}

    def handle_continue(:subscribe, state) do
      Process.monitor({Publisher, :a})
      GenServer.call({Publisher, :a}, :subscribe)
      {:noreply, state}
    catch
      :exit, _lost -> {:noreply, state}
    end
  end

  def buggy, do: news(false)
  def fixed, do: news(true)

  defp news(renew?) do
    options = [env: [kernel: [connect_all: false]]]
    Cluster.start_nodes([:a], [start: fn -> {:ok, _} = Publisher.start_link() end] ++ options)
    Cluster.start_nodes([:b], [start: fn -> {:ok, _} = Subscriber.start_link(renew?) end] ++ options)
    Process.sleep(200)
    Cluster.settle()
    GenServer.cast({Publisher, :a}, {:publish, :peace})
    Cluster.settle()
    assert GenServer.call({Subscriber, :b}, :news) == :peace
  end
end
