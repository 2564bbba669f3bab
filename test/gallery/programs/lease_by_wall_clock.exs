defmodule Gallery.LeaseByWallClock do
  use Gallery.Program,
    kind: :time,
    bug: "a lease is a time of day, and the clock of the leader is slow: it goes on leading when its lease has ended"

  alias Lockstep.Cluster

  defmodule Granter do
    use Lockstep
    use GenServer

    def start_link, do: GenServer.start_link(__MODULE__, nil, name: __MODULE__)
    def init(_), do: {:ok, System.system_time(:millisecond)}

    # The end of the lease by the clock of this node.
    def handle_call({:lease, length}, _from, until) do
      now = System.system_time(:millisecond)
      if now >= until, do: {:reply, {:until, now + length}, now + length}, else: {:reply, :taken, until}
    end
  end

  @length 50

  def buggy, do: leaders(fn _asked, until -> System.system_time(:millisecond) < until end)
  def fixed, do: leaders(fn asked, _until -> System.monotonic_time(:millisecond) < asked + @length end)

  defp leaders(leads?) do
    Cluster.start_nodes([:granter], start: fn -> {:ok, _} = Granter.start_link() end)
    Cluster.start_nodes([:a, :b])
    for node <- [:a, :b], do: Cluster.set_clock(node, offset: Enum.random(-20..20))
    [first, second] = together(for node <- [:a, :b], do: fn -> Cluster.run(node, fn -> lead(leads?) end) end)
    assert Range.disjoint?(first, second)
  end

  defp lead(leads?) do
    asked = System.monotonic_time(:millisecond)

    case GenServer.call({Granter, :granter}, {:lease, @length}, :infinity) do
      {:until, until} ->
        granted = System.monotonic_time(:millisecond)
        granted..work(granted - 1, fn -> leads?.(asked, until) end)//1

      :taken ->
        Process.sleep(10)
        lead(leads?)
    end
  end

  # When it led last.
  defp work(last, leads?) do
    now = System.monotonic_time(:millisecond)

    if leads?.() do
      Process.sleep(10)
      work(now, leads?)
    else
      last
    end
  end
end
