defmodule Gallery.SplitBrainCounter do
  use Gallery.Program,
    kind: :distribution,
    bug: "after a partition the greater of two totals is kept, and what the other side has counted meanwhile is lost"

  alias Lockstep.Cluster

  defmodule Likes do
    use Lockstep
    use GenServer

    def start_link(other, merge), do: GenServer.start_link(__MODULE__, {other, merge}, name: __MODULE__)

    def init({other, merge}) do
      :net_kernel.monitor_nodes(true)
      {:ok, %{other: other, merge: merge, likes: %{a: 0, b: 0}}}
    end

    def handle_call(:likes, _from, state), do: {:reply, state.likes, state}

    def handle_call(:like, _from, state) do
      state = update_in(state.likes[node()], &(&1 + 1))
      GenServer.cast({__MODULE__, state.other}, {:likes, state.likes})
      {:reply, :ok, state}
    end

    def handle_cast({:likes, likes}, state), do: {:noreply, %{state | likes: state.merge.(state.likes, likes)}}

    def handle_info({:nodeup, node}, state) do
      GenServer.cast({__MODULE__, node}, {:likes, state.likes})
      {:noreply, state}
    end

    def handle_info({:nodedown, _node}, state), do: {:noreply, state}
  end

  def buggy, do: likes(fn here, there -> Enum.max_by([here, there], &total/1) end)
  def fixed, do: likes(fn here, there -> Map.merge(here, there, fn _node, mine, theirs -> max(mine, theirs) end) end)

  defp likes(merge) do
    options = [connect: false, env: [kernel: [connect_all: false]]]

    for {node, other} <- [a: :b, b: :a],
        do: Cluster.start_nodes([node], [start: fn -> {:ok, _} = Likes.start_link(other, merge) end] ++ options)

    connect = fn -> Cluster.run(:a, fn -> Node.connect(:b) end) end
    together([connect | for(node <- [:a, :b], do: fn -> GenServer.call({Likes, node}, :like) end)])
    Cluster.settle()
    assert total(GenServer.call({Likes, :a}, :likes)) == 2
  end

  defp total(likes), do: likes |> Map.values() |> Enum.sum()
end
