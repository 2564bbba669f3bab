defmodule Shop.Bank do
  @moduledoc """
  The account of a branch: takes payments, in its own time.

  A payment that is called off is paid back if it was made, and declined if it is only made later.
  """

  use GenServer

  @spec start_link(term()) :: GenServer.on_start()
  def start_link(_), do: GenServer.start_link(__MODULE__, [], name: __MODULE__)

  @spec pay(Shop.Order.id(), pos_integer()) :: :ok | {:error, :declined | :called_off}
  def pay(order, amount), do: GenServer.call(__MODULE__, {:pay, order, amount})

  @spec call_off(Shop.Order.id()) :: :ok
  def call_off(order) do
    GenServer.call(__MODULE__, {:call_off, order})
  catch
    # A bank that is gone has forgotten its payments, too.
    :exit, {_gone, _call} -> :ok
  end

  @doc "What the orders of the branch on `node` have paid."
  @spec payments(node()) :: %{Shop.Order.id() => pos_integer()}
  def payments(node), do: GenServer.call({__MODULE__, node}, :payments)

  @impl true
  def init([]), do: {:ok, %{payments: %{}, called_off: MapSet.new()}}

  @impl true
  def handle_call({:pay, order, amount}, from, state) do
    delay = :rand.uniform(Application.fetch_env!(:shop, :bank_delay))
    Process.send_after(self(), {:paid, order, amount, from}, delay)
    {:noreply, state}
  end

  def handle_call({:call_off, order}, _from, state) do
    payments = Map.delete(state.payments, order)
    {:reply, :ok, %{state | payments: payments, called_off: MapSet.put(state.called_off, order)}}
  end

  def handle_call(:payments, _from, state), do: {:reply, state.payments, state}

  @impl true
  def handle_info({:paid, order, amount, from}, state) do
    cond do
      order in state.called_off ->
        GenServer.reply(from, {:error, :called_off})
        {:noreply, state}

      amount > Application.fetch_env!(:shop, :bank_limit) ->
        GenServer.reply(from, {:error, :declined})
        {:noreply, state}

      true ->
        GenServer.reply(from, :ok)
        {:noreply, put_in(state.payments[order], amount)}
    end
  end
end
