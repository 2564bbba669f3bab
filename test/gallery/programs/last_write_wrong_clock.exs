defmodule Gallery.LastWriteWrongClock do
  use Gallery.Program,
    kind: :time,
    bug: "the last write wins by the clocks of two nodes, one of which is slow: it loses to the write before it"

  alias Lockstep.Cluster

  defmodule Replica do
    use Lockstep
    use GenServer

    def start_link(stamp), do: GenServer.start_link(__MODULE__, stamp, name: __MODULE__)
    def init(stamp), do: {:ok, %{stamp: stamp, entry: {0, nil, nil}}}

    def handle_call(:read, _from, state), do: {:reply, state.entry, state}
    def handle_call({:merge, entry}, _from, state), do: {:reply, :ok, %{state | entry: max(entry, state.entry)}}

    def handle_call({:write, value}, _from, state) do
      {last, _, _} = state.entry
      entry = {state.stamp.(last, System.system_time(:millisecond)), node(), value}
      {:reply, entry, %{state | entry: max(entry, state.entry)}}
    end
  end

  def buggy, do: two_writes(fn _last, now -> now end)
  # Never behind what has been seen: a hybrid logical clock.
  def fixed, do: two_writes(fn last, now -> max(last + 1, now) end)

  defp two_writes(stamp) do
    Cluster.start_nodes([:a, :b], start: fn -> {:ok, _} = Replica.start_link(stamp) end)
    for node <- [:a, :b], do: Cluster.set_clock(node, offset: Enum.random(-10..10))
    write_and_copy(:a, :b, :first)
    Process.sleep(Enum.random(0..20))
    write_and_copy(:b, :a, :second)
    assert {_, _, :second} = GenServer.call({Replica, :a}, :read)
  end

  defp write_and_copy(from, to, value) do
    entry = GenServer.call({Replica, from}, {:write, value})
    GenServer.call({Replica, to}, {:merge, entry})
  end
end
