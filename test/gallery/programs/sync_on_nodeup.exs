defmodule Gallery.SyncOnNodeup do
  use Gallery.Program,
    kind: :distribution,
    bug: "a cache sends what it has to the members of its group when a node comes up, which is before they are known"

  alias Lockstep.Cluster

  defmodule Cache do
    use Lockstep
    use GenServer

    def start_link(on), do: GenServer.start_link(__MODULE__, on, name: __MODULE__)

    def init(on) do
      {:ok, _} = :pg.start_link(:caches)
      if on == :nodeup, do: :net_kernel.monitor_nodes(true), else: :pg.monitor(:caches, :all)
      :pg.join(:caches, :all, self())
      {:ok, [node()]}
    end

    def handle_call(:entries, _from, entries), do: {:reply, Enum.sort(entries), entries}
    def handle_cast({:entries, more}, entries), do: {:noreply, Enum.uniq(more ++ entries)}

    def handle_info({:nodeup, _node}, entries), do: {:noreply, tell(others(), entries)}

    def handle_info({_monitor, :join, :all, pids}, entries), do: {:noreply, tell(pids -- [self()], entries)}

    def handle_info(_end, entries), do: {:noreply, entries}

    defp others, do: :pg.get_members(:caches, :all) -- [self()]

    defp tell(caches, entries) do
      for cache <- caches, do: GenServer.cast(cache, {:entries, entries})
      entries
    end
  end

  def buggy, do: caches_meet(:nodeup)
  def fixed, do: caches_meet(:join)

  defp caches_meet(on) do
    options = [connect: false, env: [kernel: [connect_all: false]]]
    Cluster.start_nodes([:a, :b], [start: fn -> {:ok, _} = Cache.start_link(on) end] ++ options)
    Cluster.run(:a, fn -> Node.connect(:b) end)
    Cluster.settle()
    for node <- [:a, :b], do: assert(GenServer.call({Cache, node}, :entries) == [:a, :b])
  end
end
