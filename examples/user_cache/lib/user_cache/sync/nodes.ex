defmodule UserCache.Sync.Nodes do
  @moduledoc """
  When a node comes, its cache is sent everything.

  It has a gap: that the node is connected does not mean that its cache is back in the group, nor that it has a cache
  already. What is written here between the two is neither among what was sent nor told to the node later.
  """

  use GenServer

  alias UserCache.Server

  @spec start_link(term()) :: GenServer.on_start()
  def start_link(_), do: GenServer.start_link(__MODULE__, [], name: __MODULE__)

  @impl true
  def init([]) do
    :ok = :net_kernel.monitor_nodes(true)
    {:ok, []}
  end

  @impl true
  def handle_info({:nodeup, node}, state) do
    Server.tell_all({Server, node})
    {:noreply, state}
  end

  def handle_info({:nodedown, _node}, state), do: {:noreply, state}
end
