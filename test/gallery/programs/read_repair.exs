defmodule Gallery.ReadRepair do
  use Gallery.Program,
    kind: :distribution,
    bug: "a reader that finds a stale replica puts what it has read over a newer write"

  alias Lockstep.Cluster

  defmodule Replica do
    use Lockstep
    use GenServer

    def start_link(repair), do: GenServer.start_link(__MODULE__, repair, name: __MODULE__)
    def init(repair), do: {:ok, %{repair: repair, entry: {0, :old}}}

    def handle_call(:read, _from, state), do: {:reply, state.entry, state}
    def handle_call({:write, entry}, _from, state), do: {:reply, :ok, %{state | entry: max(entry, state.entry)}}

    def handle_call({:repair, entry}, _from, state),
      do: {:reply, :ok, %{state | entry: state.repair.(entry, state.entry)}}
  end

  @replicas [:a, :b]

  def buggy, do: replicas_agree(fn repaired, _here -> repaired end)
  def fixed, do: replicas_agree(fn repaired, here -> max(repaired, here) end)

  defp replicas_agree(repair) do
    Cluster.start_nodes(@replicas, start: fn -> {:ok, _} = Replica.start_link(repair) end)
    Cluster.start_nodes([:writer, :reader])
    on(:a, {:write, {1, :first}})
    together([fn -> Cluster.run(:writer, &write/0) end, fn -> Cluster.run(:reader, &read/0) end])
    assert on(:a, :read) == on(:b, :read)
  end

  defp write, do: for(node <- @replicas, do: on(node, {:write, {2, :second}}))

  defp read do
    entries = for node <- @replicas, do: {node, on(node, :read)}
    newest = entries |> Enum.map(&elem(&1, 1)) |> Enum.max()
    for {node, entry} <- entries, entry != newest, do: on(node, {:repair, newest})
  end

  defp on(node, request), do: GenServer.call({Replica, node}, request)
end
