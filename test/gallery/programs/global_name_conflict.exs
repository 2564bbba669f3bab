defmodule Gallery.GlobalNameConflict do
  use Gallery.Program,
    kind: :distribution,
    bug: "two nodes that meet have a counter each under one global name: one is killed with all that it has counted"

  alias Lockstep.Cluster

  defmodule Counter do
    use Lockstep
    use GenServer

    def start(resolve) do
      {:ok, pid} = GenServer.start(__MODULE__, 0)
      if :global.register_name(:counter, pid, resolve) == :no, do: GenServer.stop(pid)
    end

    def init(count), do: {:ok, count}
    def handle_call(:increment, _from, count), do: {:reply, :ok, count + 1}
    def handle_call(:count, _from, count), do: {:reply, count, count}
    def handle_info({:add, n}, count), do: {:noreply, count + n}

    def handle_info({:merge_into, other}, count) do
      send(other, {:add, count})
      {:stop, :normal, count}
    end
  end

  def buggy, do: count(&:global.random_exit_name/3)

  def fixed do
    count(fn _name, winner, loser ->
      send(loser, {:merge_into, winner})
      winner
    end)
  end

  defp count(resolve) do
    Cluster.start_nodes([:a, :b], connect: false)
    meet = fn -> Cluster.run(:a, fn -> Node.connect(:b) end) end
    count = for node <- [:a, :b], do: fn -> Cluster.run(node, fn -> start_and_count(resolve) end) end
    counted = together([meet | count])
    Cluster.settle()
    total = Cluster.run(:a, fn -> GenServer.call({:global, :counter}, :count) end)
    assert total >= Enum.count(counted, &(&1 == :ok))
  end

  defp start_and_count(resolve) do
    Counter.start(resolve)
    GenServer.call({:global, :counter}, :increment)
  catch
    :exit, _killed -> :not_counted
  end
end
