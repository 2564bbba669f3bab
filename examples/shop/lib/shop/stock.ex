defmodule Shop.Stock do
  @moduledoc """
  What a branch has to sell.

  Everybody on the node reads the table; only this process writes it. Items are reserved for the process that asks for
  them, and go back when it ends, wherever it is, without having taken them.
  """

  use GenServer
  require Logger

  @type item :: atom()
  @type inventory :: %{
          item() => %{available: non_neg_integer(), reserved: non_neg_integer(), sold: non_neg_integer()}
        }

  @spec start_link(term()) :: GenServer.on_start()
  def start_link(_), do: GenServer.start_link(__MODULE__, [], name: __MODULE__)

  @doc "How many of the item this node's branch has."
  @spec available(item()) :: non_neg_integer()
  def available(item) do
    case :ets.lookup(__MODULE__, item) do
      [{^item, available, _reserved, _sold}] -> available
      [] -> 0
    end
  end

  @doc "Reserves items for the calling process: here or, if there are too few, at another branch."
  @spec reserve(item(), pos_integer()) :: {:ok, node()} | {:error, :sold_out}
  def reserve(item, count) do
    # No need to ask a branch that is known to have too few.
    here = if available(item) >= count, do: [node()], else: []
    Enum.find_value(here ++ Node.list(), {:error, :sold_out}, &reserve_at(&1, item, count))
  end

  defp reserve_at(node, item, count) do
    if call(node, {:reserve, self(), item, count}) == :ok, do: {:ok, node}
  end

  @doc "The items that the calling process has reserved at the branch are sold."
  @spec take(node()) :: :ok | {:error, :closed}
  def take(node), do: call(node, {:take, self()})

  @doc "The items that the calling process has reserved at the branch can be sold to others."
  @spec put_back(node()) :: :ok | {:error, :closed}
  def put_back(node), do: call(node, {:put_back, self()})

  defp call(node, request) do
    GenServer.call({__MODULE__, node}, request)
  catch
    :exit, {_closed, _call} -> {:error, :closed}
  end

  @doc "The books of the branch on `node`."
  @spec inventory(node()) :: inventory()
  def inventory(node), do: GenServer.call({__MODULE__, node}, :inventory)

  @impl true
  def init([]) do
    Process.flag(:trap_exit, true)
    :ets.new(__MODULE__, [:named_table, :protected, read_concurrency: true])
    for {item, count} <- Application.fetch_env!(:shop, :stock), do: :ets.insert(__MODULE__, {item, count, 0, 0})
    {:ok, %{reservations: %{}}}
  end

  @impl true
  def handle_call({:reserve, pid, item, count}, _from, state) do
    if available(item) >= count do
      move(item, count, :available, :reserved)
      reservation = {Process.monitor(pid), item, count}
      {:reply, :ok, put_in(state.reservations[pid], reservation)}
    else
      {:reply, {:error, :sold_out}, state}
    end
  end

  def handle_call({:take, pid}, _from, state), do: {:reply, :ok, finish(state, pid, :sold)}
  def handle_call({:put_back, pid}, _from, state), do: {:reply, :ok, finish(state, pid, :available)}

  def handle_call(:inventory, _from, state) do
    books = fn {item, available, reserved, sold} ->
      {item, %{available: available, reserved: reserved, sold: sold}}
    end

    {:reply, __MODULE__ |> :ets.tab2list() |> Map.new(books), state}
  end

  @impl true
  def handle_info({:DOWN, _monitor, :process, pid, reason}, state) do
    Logger.warning("an order ended, #{inspect(reason)}; what it had reserved goes back")
    {:noreply, finish(state, pid, :available)}
  end

  @impl true
  def terminate(_reason, state) do
    Logger.info("stock of #{node()} closes with #{map_size(state.reservations)} reservations")
  end

  defp finish(state, pid, to) do
    {{monitor, item, count}, reservations} = Map.pop!(state.reservations, pid)
    Process.demonitor(monitor, [:flush])
    move(item, count, :reserved, to)
    %{state | reservations: reservations}
  end

  @columns %{available: 2, reserved: 3, sold: 4}

  defp move(item, count, from, to) do
    :ets.update_counter(__MODULE__, item, [{@columns[from], -count}, {@columns[to], count}])
  end
end
