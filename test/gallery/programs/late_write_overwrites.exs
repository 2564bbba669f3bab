defmodule Gallery.LateWriteOverwrites do
  use Gallery.Program,
    kind: :time,
    bug: "a write that was given up after a timeout is made late, over the write that followed by another way"

  alias Lockstep.Cluster

  defmodule Store do
    use Lockstep
    use GenServer

    def start_link(newer?), do: GenServer.start_link(__MODULE__, newer?, name: __MODULE__)
    def init(newer?), do: {:ok, {newer?, {0, nil}}}
    def handle_call(:read, _from, {_, entry} = state), do: {:reply, entry, state}

    def handle_call({:write, entry}, _from, {newer?, old}) do
      {:reply, :ok, {newer?, if(newer?.(entry, old), do: entry, else: old)}}
    end
  end

  defmodule Proxy do
    use Lockstep
    use GenServer

    def start_link, do: GenServer.start_link(__MODULE__, nil, name: __MODULE__)
    def init(_), do: {:ok, nil}

    def handle_call(request, _from, state), do: {:reply, GenServer.call({Store, :store}, request), state}
  end

  def buggy, do: two_writes(fn _new, _old -> true end)
  def fixed, do: two_writes(fn {new, _}, {old, _} -> new > old end)

  defp two_writes(newer?) do
    Cluster.start_nodes([:store], start: fn -> {:ok, _} = Store.start_link(newer?) end)
    Cluster.start_nodes([:proxy1, :proxy2], start: fn -> {:ok, _} = Proxy.start_link() end)
    Cluster.start_nodes([:client])

    Cluster.run(:client, fn ->
      write(:proxy1, {1, :draft})
      write(:proxy2, {2, :final})
    end)

    Cluster.settle()
    assert GenServer.call({Store, :store}, :read) == {2, :final}
  end

  # The client goes on by the other way when this one takes too long.
  defp write(proxy, entry) do
    GenServer.call({Proxy, proxy}, {:write, entry}, 50)
  catch
    :exit, {:timeout, _call} when proxy == :proxy1 -> :ok
    :exit, {:timeout, _call} -> write(proxy, entry)
  end
end
