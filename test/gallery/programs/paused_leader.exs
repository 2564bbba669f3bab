defmodule Gallery.PausedLeader do
  use Gallery.Program,
    kind: :time,
    bug: "a leader is stopped for a moment between looking at its lease and writing: by then another one leads"

  alias Lockstep.Cluster

  defmodule Lease do
    use Lockstep
    use GenServer

    def start_link, do: GenServer.start_link(__MODULE__, nil, name: __MODULE__)
    def init(_), do: {:ok, {nil, 0, System.monotonic_time(:millisecond)}}

    # The leader and its term: who leads may go on, anybody may begin when the lease is over.
    def handle_call(:lead, {pid, _}, {leader, term, until}) do
      now = System.monotonic_time(:millisecond)

      cond do
        leader == pid and now < until -> {:reply, {:ok, term}, {pid, term, now + 40}}
        now >= until -> {:reply, {:ok, term + 1}, {pid, term + 1, now + 40}}
        true -> {:reply, :follow, {leader, term, until}}
      end
    end
  end

  defmodule Log do
    use Lockstep
    use GenServer

    def start_link(accepts?), do: GenServer.start_link(__MODULE__, accepts?, name: __MODULE__)
    def init(accepts?), do: {:ok, {accepts?, [0]}}
    def handle_call(:terms, _from, {_, terms} = state), do: {:reply, Enum.reverse(terms), state}

    def handle_call({:append, term}, _from, {accepts?, terms}) do
      {:reply, :ok, {accepts?, if(accepts?.(term, hd(terms)), do: [term | terms], else: terms)}}
    end
  end

  def buggy, do: two_leaders(fn _term, _last -> true end)
  def fixed, do: two_leaders(fn term, last -> term >= last end)

  defp two_leaders(accepts?) do
    Cluster.start_nodes([:lease], start: fn -> {:ok, _} = Lease.start_link() end)
    Cluster.start_nodes([:log], start: fn -> {:ok, _} = Log.start_link(accepts?) end)
    Cluster.start_nodes([:a, :b])
    test = self()
    leaders = for node <- [:a, :b], do: Cluster.spawn(node, fn -> send(test, lead(4)) end)
    Process.sleep(Enum.random(0..40))
    Cluster.pause(hd(leaders), Cluster.duration(around: 50, up_to: 100))
    for _ <- leaders, do: assert_receive(:over)
    terms = GenServer.call({Log, :log}, :terms)
    assert terms == Enum.sort(terms)
  end

  defp lead(0), do: :over

  defp lead(times) do
    with {:ok, term} <- GenServer.call({Lease, :lease}, :lead), do: GenServer.call({Log, :log}, {:append, term})

    Process.sleep(15)
    lead(times - 1)
  end
end
