defmodule Gallery.AcknowledgedWriteLost do
  use Gallery.Program,
    kind: :lifecycle,
    bug: "the primary answers a write before its backup has it, and crashes: the backup takes over without the write"

  alias Lockstep.Cluster

  defmodule Store do
    use Lockstep
    use GenServer

    def start_link(backup), do: GenServer.start_link(__MODULE__, backup, name: __MODULE__)
    def init(backup), do: {:ok, {backup, []}}
    def handle_call(:all, _from, {_, values} = state), do: {:reply, values, state}

    def handle_call({:write, value}, _from, {backup, values}) do
      if backup, do: backup.({__MODULE__, :backup}, {:write, value})
      {:reply, :ok, {backup, [value | values]}}
    end

    def handle_cast({:write, value}, {backup, values}), do: {:noreply, {backup, [value | values]}}
  end

  def buggy, do: fail_over(&GenServer.cast/2)
  def fixed, do: fail_over(&GenServer.call/2)

  defp fail_over(backup) do
    Cluster.start_nodes([:backup], start: fn -> {:ok, _} = Store.start_link(nil) end)
    Cluster.start_nodes([:primary], start: fn -> {:ok, _} = Store.start_link(backup) end)
    Cluster.start_nodes([:client])

    writer = Task.async(fn -> Cluster.run(:client, fn -> Enum.take_while(1..3, &written?/1) end) end)

    Process.sleep(Enum.random(0..30))
    Cluster.crash_node(:primary)
    written = Task.await(writer)
    assert written -- GenServer.call({Store, :backup}, :all) == []
  end

  defp written?(n) do
    Process.sleep(10)
    GenServer.call({Store, :primary}, {:write, n}) == :ok
  catch
    :exit, _primary_down -> false
  end
end
