defmodule Gallery.EventSentOnce do
  use Gallery.Program,
    kind: :distribution,
    bug: "events are sent once and never asked for: what is sent while the network is cut is lost"

  alias Lockstep.Cluster

  defmodule Consumer do
    use Lockstep
    use GenServer

    def start_link, do: GenServer.start_link(__MODULE__, [], name: __MODULE__)
    def init(events), do: {:ok, events}
    def handle_call(:events, _from, events), do: {:reply, Enum.reverse(events), events}

    def handle_info({:event, from, n}, events) do
      send(from, {:received, n})
      {:noreply, if(n in events, do: events, else: [n | events])}
    end
  end

  def buggy, do: events(&send_once/1)
  def fixed, do: events(&send_until_received/1)

  defp events(send_event) do
    Cluster.start_nodes([:consumer], start: fn -> {:ok, _} = Consumer.start_link() end)
    Cluster.start_nodes([:producer])
    together([&outage/0, fn -> Cluster.run(:producer, fn -> Enum.each(1..3, &publish(&1, send_event)) end) end])
    Process.sleep(100)
    assert GenServer.call({Consumer, :consumer}, :events) == [1, 2, 3]
  end

  defp outage do
    Process.sleep(Enum.random(0..30))
    Cluster.partition([:producer], [:consumer])
    Process.sleep(Enum.random(0..30))
    Cluster.heal()
  end

  defp publish(n, send_event) do
    send_event.(n)
    Process.sleep(10)
  end

  defp send_once(n), do: send({Consumer, :consumer}, {:event, self(), n})

  defp send_until_received(n) do
    send_once(n)

    receive do
      {:received, ^n} -> :ok
    after
      20 -> send_until_received(n)
    end
  end
end
