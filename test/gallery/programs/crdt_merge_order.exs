defmodule Gallery.CrdtMergeOrder do
  use Gallery.Program,
    kind: :distribution,
    bug: "a merge prefers what comes in, so that two replicas that write at the same time swap their values"

  alias Lockstep.Cluster

  defmodule Profile do
    use Lockstep
    use GenServer

    def start_link(other, newer), do: GenServer.start_link(__MODULE__, {other, newer}, name: __MODULE__)
    def init({other, newer}), do: {:ok, %{other: other, newer: newer, fields: %{}}}
    def handle_call(:fields, _from, state), do: {:reply, state.fields, state}

    # A value with the number of its version, and who wrote it.
    def handle_call({:set, field, value}, _from, state) do
      {version, _, _} = Map.get(state.fields, field, {0, nil, nil})
      fields = Map.put(state.fields, field, {version + 1, node(), value})
      GenServer.cast({__MODULE__, state.other}, {:merge, fields})
      {:reply, :ok, %{state | fields: fields}}
    end

    def handle_cast({:merge, fields}, state) do
      {:noreply,
       %{state | fields: Map.merge(state.fields, fields, fn _, here, there -> state.newer.(here, there) end)}}
    end
  end

  def buggy,
    do: replicas_agree(fn {mine, _, _} = here, {theirs, _, _} = there -> if theirs >= mine, do: there, else: here end)

  def fixed, do: replicas_agree(fn here, there -> max(here, there) end)

  defp replicas_agree(newer) do
    for {node, other} <- [a: :b, b: :a],
        do: Cluster.start_nodes([node], start: fn -> {:ok, _} = Profile.start_link(other, newer) end)

    together(for node <- [:a, :b], do: fn -> GenServer.call({Profile, node}, {:set, :city, "on #{node}"}) end)
    Cluster.settle()
    assert GenServer.call({Profile, :a}, :fields) == GenServer.call({Profile, :b}, :fields)
  end
end
