defmodule Gallery.QueueJobTwice do
  use Gallery.Program,
    kind: :time,
    bug: "a job is given out again because its worker is slow, and both workers do it"

  alias Lockstep.Cluster

  defmodule Queue do
    use Lockstep
    use GenServer

    def start_link, do: GenServer.start_link(__MODULE__, nil, name: __MODULE__)
    def init(_), do: {:ok, :waiting}

    # A job that is given out is not seen by others for 50 ms.
    def handle_call(:take, _from, :waiting) do
      Process.send_after(self(), :visible, 50)
      {:reply, {:ok, :invoice}, :taken}
    end

    def handle_call(:take, _from, job), do: {:reply, :empty, job}
    def handle_call({:done, :invoice}, _from, _job), do: {:reply, :ok, :done}
    def handle_info(:visible, job), do: {:noreply, if(job == :done, do: :done, else: :waiting)}
  end

  defmodule Mail do
    use Lockstep
    use GenServer

    def start_link(same?), do: GenServer.start_link(__MODULE__, same?, name: __MODULE__)
    def init(same?), do: {:ok, {same?, []}}
    def handle_call(:sent, _from, {_, sent} = state), do: {:reply, sent, state}

    def handle_call({:send, letter}, _from, {same?, sent}) do
      {:reply, :ok, {same?, if(Enum.any?(sent, &same?.(&1, letter)), do: sent, else: [letter | sent])}}
    end
  end

  def buggy, do: work(fn _sent, _letter -> false end)
  def fixed, do: work(fn sent, letter -> sent == letter end)

  defp work(same?) do
    Cluster.start_nodes([:queue], start: fn -> {:ok, _} = Queue.start_link() end)
    Cluster.start_nodes([:mail], start: fn -> {:ok, _} = Mail.start_link(same?) end)
    Cluster.start_nodes([:a, :b])
    together(for node <- [:a, :b], do: fn -> Cluster.run(node, fn -> for _ <- 1..3, do: take() end) end)
    assert length(GenServer.call({Mail, :mail}, :sent)) <= 1
  end

  defp take do
    with {:ok, job} <- GenServer.call({Queue, :queue}, :take) do
      GenServer.call({Mail, :mail}, {:send, job})
      GenServer.call({Queue, :queue}, {:done, job})
    end

    Process.sleep(20)
  end
end
