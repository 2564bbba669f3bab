defmodule UserCache.Server do
  @moduledoc """
  The cache of a node: owns the table, which everybody on the node reads, and is the only one to write it.

  A user is written together with a stamp: how often that id was written, and where. Of two versions of a user the one
  with the greater stamp stays, so caches that have been told the same, in whatever order, are equal.

  What is new here is told to all other caches, whoever it came from: who wrote it may have gone down before all were
  told.
  """

  use GenServer

  alias UserCache.Group

  @type row :: {UserCache.id(), {pos_integer(), node()}, UserCache.user()}

  @spec start_link(term()) :: GenServer.on_start()
  def start_link(_), do: GenServer.start_link(__MODULE__, [], name: __MODULE__)

  @doc "Has this node's cache tell another one all that it has."
  @spec tell_all(pid() | {module(), node()}) :: :ok
  def tell_all(cache), do: GenServer.cast(__MODULE__, {:tell_all, cache})

  @impl true
  def init([]) do
    :ets.new(__MODULE__, [:named_table, :protected, read_concurrency: true])
    :ok = Group.join()
    {:ok, []}
  end

  @impl true
  def handle_call({:put, id, user}, _from, state) do
    insert({id, {version(id) + 1, node()}, user})
    {:reply, :ok, state}
  end

  @impl true
  def handle_cast({:row, row}, state) do
    if new?(row), do: insert(row)
    {:noreply, state}
  end

  def handle_cast({:tell_all, cache}, state) do
    for row <- :ets.tab2list(__MODULE__), do: tell(cache, row)
    {:noreply, state}
  end

  defp insert(row) do
    :ets.insert(__MODULE__, row)
    for cache <- Group.others(), do: tell(cache, row)
  end

  defp tell(cache, row), do: GenServer.cast(cache, {:row, row})

  defp new?({id, _stamp, _user} = row), do: Enum.all?(:ets.lookup(__MODULE__, id), &(&1 < row))

  defp version(id) do
    case :ets.lookup(__MODULE__, id) do
      [{^id, {version, _node}, _user}] -> version
      [] -> 0
    end
  end
end
