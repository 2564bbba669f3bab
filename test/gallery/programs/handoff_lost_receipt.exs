defmodule Gallery.HandoffLostReceipt do
  use Gallery.Program,
    kind: :distribution,
    bug: "a node keeps a job that it has handed over because no receipt has come: two nodes have it"

  alias Lockstep.Cluster

  defmodule Owner do
    use Lockstep
    use GenServer

    def start_link(jobs), do: GenServer.start_link(__MODULE__, jobs, name: __MODULE__)
    def init(jobs), do: {:ok, MapSet.new(jobs)}

    def handle_call(:jobs, _from, jobs), do: {:reply, MapSet.to_list(jobs), jobs}
    def handle_call({:take, job}, _from, jobs), do: {:reply, :received, MapSet.put(jobs, job)}
    def handle_call({:remove, job}, _from, jobs), do: {:reply, :ok, MapSet.delete(jobs, job)}
  end

  def buggy, do: hand_over(fn _job -> :kept end)
  # Whether the other has it is not known, so it is asked until it answers.
  def fixed, do: hand_over(&move/1)

  defp hand_over(without_receipt) do
    Cluster.start_nodes([:a], start: fn -> {:ok, _} = Owner.start_link([:job]) end)
    Cluster.start_nodes([:b], start: fn -> {:ok, _} = Owner.start_link([]) end)
    together([&outage/0, fn -> Cluster.run(:a, fn -> move(:job, without_receipt) end) end])
    assert [:job] = GenServer.call({Owner, :a}, :jobs) ++ GenServer.call({Owner, :b}, :jobs)
  end

  defp outage do
    Process.sleep(Enum.random(0..10))
    Cluster.partition([:a], [:b])
    Process.sleep(100)
    Cluster.heal()
  end

  defp move(job, without_receipt \\ &move/1) do
    GenServer.call({Owner, :b}, {:take, job}, 50)
    GenServer.call(Owner, {:remove, job})
  catch
    :exit, {:timeout, _call} -> without_receipt.(job)
  end
end
