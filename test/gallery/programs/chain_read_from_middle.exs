defmodule Gallery.ChainReadFromMiddle do
  use Gallery.Program,
    kind: :distribution,
    bug: "a read from the middle of a replicated chain sees a write that the end of the chain does not have yet"

  alias Lockstep.Cluster

  defmodule Link do
    use Lockstep
    use GenServer

    def start_link(next), do: GenServer.start_link(__MODULE__, next, name: __MODULE__)
    def init(next), do: {:ok, {next, 0}}
    def handle_call(:read, _from, {_, value} = state), do: {:reply, value, state}

    def handle_cast({:write, value}, {next, _}) do
      if next, do: GenServer.cast({__MODULE__, next}, {:write, value})
      {:noreply, {next, value}}
    end
  end

  def buggy, do: reads_never_go_back([:middle, :tail])
  def fixed, do: reads_never_go_back([:tail, :tail])

  defp reads_never_go_back(nodes) do
    for {node, next} <- [tail: nil, middle: :tail, head: :middle],
        do: Cluster.start_nodes([node], start: fn -> {:ok, _} = Link.start_link(next) end)

    GenServer.cast({Link, :head}, {:write, 1})
    seen = for node <- nodes, do: GenServer.call({Link, node}, :read)
    assert seen == Enum.sort(seen)
  end
end
