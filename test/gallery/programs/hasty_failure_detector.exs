defmodule Gallery.HastyFailureDetector do
  use Gallery.Program,
    kind: :time,
    bug: "a node counts as dead after a silence that is shorter than a slow moment, and its standby takes over"

  alias Lockstep.Cluster

  defmodule Standby do
    use Lockstep
    use GenServer

    def start_link(patience), do: GenServer.start_link(__MODULE__, patience, name: __MODULE__)
    def init(patience), do: {:ok, {:standby, patience}}

    def handle_call(:role, _from, {role, _} = state), do: {:reply, role, state}
    def handle_info(:alive, {:standby, patience} = state), do: {:noreply, state, patience}
    def handle_info(:alive, {:active, _} = state), do: {:noreply, state}
    def handle_info(:bye, state), do: {:noreply, state}
    def handle_info(:timeout, {:standby, patience}), do: {:noreply, {:active, patience}}
  end

  def buggy, do: heartbeats(60)
  def fixed, do: heartbeats(2_000)

  defp heartbeats(patience) do
    Cluster.start_nodes([:b], start: fn -> {:ok, _} = Standby.start_link(patience) end)
    Cluster.start_nodes([:a])

    Cluster.run(:a, fn ->
      for _ <- 1..5 do
        send({Standby, :b}, :alive)
        Process.sleep(30)
      end

      send({Standby, :b}, :bye)
    end)

    Cluster.settle()
    assert GenServer.call({Standby, :b}, :role) == :standby
  end
end
