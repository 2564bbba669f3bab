defmodule Gallery.LeaseCountedFromReply do
  use Gallery.Program,
    kind: :time,
    bug: "a leader counts its lease from the time at which the grant arrives, the granter from when it gave it"

  alias Lockstep.Cluster

  defmodule Granter do
    use Lockstep
    use GenServer

    def start_link, do: GenServer.start_link(__MODULE__, nil, name: __MODULE__)
    def init(_), do: {:ok, System.monotonic_time(:millisecond)}

    def handle_call({:lease, length}, _from, until) do
      now = System.monotonic_time(:millisecond)
      if now >= until, do: {:reply, :granted, now + length}, else: {:reply, :taken, until}
    end
  end

  @length 50

  def buggy, do: leaders(fn _asked -> System.monotonic_time(:millisecond) end)
  def fixed, do: leaders(fn asked -> asked end)

  defp leaders(from) do
    Cluster.start_nodes([:granter], start: fn -> {:ok, _} = Granter.start_link() end)
    Cluster.start_nodes([:a, :b])
    [first, second] = together(for node <- [:a, :b], do: fn -> Cluster.run(node, fn -> lead(from) end) end)
    assert Range.disjoint?(first, second)
  end

  # From when to when this node takes itself for the leader.
  defp lead(from) do
    asked = System.monotonic_time(:millisecond)

    case GenServer.call({Granter, :granter}, {:lease, @length}, :infinity) do
      :granted ->
        System.monotonic_time(:millisecond)..(from.(asked) + @length - 1)//1

      :taken ->
        Process.sleep(5)
        lead(from)
    end
  end
end
