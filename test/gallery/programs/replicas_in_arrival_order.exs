defmodule Gallery.ReplicasInArrivalOrder do
  use Gallery.Program,
    kind: :distribution,
    bug: "three replicas apply the commands of two clients as they come in, which is not the same order everywhere"

  alias Lockstep.Cluster

  defmodule Replica do
    use Lockstep
    use GenServer

    def start_link, do: GenServer.start_link(__MODULE__, [], name: __MODULE__)
    def init(log), do: {:ok, log}
    def handle_call(:log, _from, log), do: {:reply, log, log}
    def handle_cast({:apply, command}, log), do: {:noreply, [command | log]}

    # The first of the replicas passes the commands on: all come from one process, and so in one order.
    def handle_cast({:broadcast, command, replicas}, log) do
      broadcast(command, replicas)
      {:noreply, log}
    end

    def broadcast(command, replicas),
      do: for(node <- replicas, do: GenServer.cast({__MODULE__, node}, {:apply, command}))
  end

  @replicas [:a, :b, :c]

  def buggy, do: two_clients(&Replica.broadcast(&1, @replicas))
  def fixed, do: two_clients(&GenServer.cast({Replica, :a}, {:broadcast, &1, @replicas}))

  defp two_clients(command) do
    Cluster.start_nodes(@replicas, start: fn -> {:ok, _} = Replica.start_link() end)
    Cluster.start_nodes([:x, :y])
    together(for node <- [:x, :y], do: fn -> Cluster.run(node, fn -> command.({:set, :colour, node}) end) end)
    Cluster.settle()
    assert [_same] = @replicas |> Enum.map(&GenServer.call({Replica, &1}, :log)) |> Enum.uniq()
  end
end
