defmodule Gallery.TwoPhaseCommit do
  use Gallery.Program,
    kind: :lifecycle,
    bug: "a coordinator tells of its decision before it writes it down, crashes between, and decides otherwise"

  alias Lockstep.Cluster

  defmodule Participant do
    use Lockstep
    use GenServer

    def start_link, do: GenServer.start_link(__MODULE__, nil, name: __MODULE__)
    def init(_), do: {:ok, :prepared}
    def handle_call(:outcome, _from, outcome), do: {:reply, outcome, outcome}

    # What has been decided is final.
    def handle_cast({:decision, decision}, :prepared), do: {:noreply, decision}
    def handle_cast({:decision, _late}, outcome), do: {:noreply, outcome}
  end

  defmodule Coordinator do
    use Lockstep

    @participants [:a, :b]

    # What is not in the log has not been decided, so it is aborted.
    def recover(log) do
      tell(Agent.get(log, & &1) || :abort)
    end

    def commit(log, :tell_first) do
      tell(:commit)
      Agent.update(log, fn _ -> :commit end)
    end

    def commit(log, :log_first) do
      Agent.update(log, fn _ -> :commit end)
      tell(:commit)
    end

    defp tell(decision),
      do: for(node <- @participants, do: GenServer.cast({Participant, node}, {:decision, decision}))
  end

  def buggy, do: transaction(:tell_first)
  def fixed, do: transaction(:log_first)

  defp transaction(order) do
    # The log outlives the coordinator, as a disk does.
    {:ok, log} = Agent.start_link(fn -> nil end)
    Cluster.start_nodes([:a, :b], start: fn -> {:ok, _} = Participant.start_link() end)
    Cluster.start_nodes([:coordinator])
    Cluster.spawn(:coordinator, fn -> Coordinator.commit(log, order) end)
    Process.sleep(Enum.random(0..2))
    Cluster.crash_node(:coordinator)
    Cluster.start_node(:coordinator)
    Cluster.run(:coordinator, fn -> Coordinator.recover(log) end)
    Cluster.settle()
    assert GenServer.call({Participant, :a}, :outcome) == GenServer.call({Participant, :b}, :outcome)
  end
end
