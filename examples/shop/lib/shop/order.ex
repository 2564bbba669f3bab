defmodule Shop.Order do
  @moduledoc """
  One order, a state machine: `reserving`, `paying`, `settled`.

  It is known by its id, and forgotten some time after it is settled.
  """

  @behaviour :gen_statem
  require Logger

  alias Shop.{Bank, Stock}

  @type id :: term()
  @type outcome :: :shipped | {:cancelled, :sold_out | :declined | :too_late | :closed | term()}

  # Milliseconds that a settled order is remembered.
  @remembered 60_000

  @enforce_keys [:id, :item, :count]
  defstruct [:id, :item, :count, :branch, :payment, :outcome]

  @spec child_spec({id(), Stock.item(), pos_integer()}) :: Supervisor.child_spec()
  def child_spec(order), do: %{id: __MODULE__, start: {__MODULE__, :start_link, [order]}, restart: :temporary}

  @spec start_link({id(), Stock.item(), pos_integer()}) :: :gen_statem.start_ret()
  def start_link({id, _item, _count} = order), do: :gen_statem.start_link(via(id), __MODULE__, order, [])

  @doc "Waits until the order is settled."
  @spec await(id()) :: outcome()
  def await(id), do: :gen_statem.call(via(id), :await)

  defp via(id), do: {:via, Registry, {Shop.Registry, id}}

  @impl true
  def callback_mode, do: [:state_functions, :state_enter]

  @impl true
  def init({id, item, count}) do
    Process.flag(:trap_exit, true)
    {:ok, :reserving, %__MODULE__{id: id, item: item, count: count}}
  end

  @spec reserving(term(), term(), %__MODULE__{}) :: term()
  def reserving(:enter, _before, _order), do: {:keep_state_and_data, {:state_timeout, 0, :reserve}}

  def reserving(:state_timeout, :reserve, order) do
    case Stock.reserve(order.item, order.count) do
      {:ok, branch} -> {:next_state, :paying, %{order | branch: branch}}
      {:error, reason} -> cancel(order, reason)
    end
  end

  def reserving({:call, _from}, :await, _order), do: {:keep_state_and_data, :postpone}

  @spec paying(term(), term(), %__MODULE__{}) :: term()
  def paying(:enter, _before, order) do
    payment = Task.Supervisor.async_nolink(Shop.Payments, Bank, :pay, [order.id, amount(order)])
    timeout = Application.fetch_env!(:shop, :payment_timeout)
    {:keep_state, %{order | payment: payment}, {:state_timeout, timeout, :too_late}}
  end

  def paying(:info, {ref, answer}, %{payment: %{ref: ref}} = order) do
    Process.demonitor(ref, [:flush])
    order = %{order | payment: nil}

    case answer do
      :ok -> ship(order)
      {:error, reason} -> order |> put_back() |> cancel(reason)
    end
  end

  def paying(:info, {:DOWN, ref, :process, _pid, reason}, %{payment: %{ref: ref}} = order) do
    %{order | payment: nil} |> call_off() |> put_back() |> cancel(reason)
  end

  def paying(:state_timeout, :too_late, order) do
    Task.shutdown(order.payment, :brutal_kill)
    %{order | payment: nil} |> call_off() |> put_back() |> cancel(:too_late)
  end

  def paying({:call, _from}, :await, _order), do: {:keep_state_and_data, :postpone}

  @spec settled(term(), term(), %__MODULE__{}) :: term()
  def settled(:enter, _before, _order), do: {:keep_state_and_data, {:state_timeout, @remembered, :forget}}
  def settled(:state_timeout, :forget, _order), do: :stop
  def settled({:call, from}, :await, order), do: {:keep_state_and_data, {:reply, from, order.outcome}}
  def settled(:info, _late, _order), do: :keep_state_and_data

  # An order that is stopped before it is paid for is not to be paid for later.
  @impl true
  def terminate(_reason, :paying, order), do: order |> call_off() |> put_back()
  def terminate(_reason, _state, _order), do: :ok

  defp ship(order) do
    case Stock.take(order.branch) do
      :ok ->
        Logger.info("order #{inspect(order.id)} is shipped from #{order.branch}")
        {:next_state, :settled, %{order | outcome: :shipped}}

      {:error, reason} ->
        order |> call_off() |> cancel(reason)
    end
  end

  defp cancel(order, reason) do
    Logger.info("order #{inspect(order.id)} is cancelled: #{inspect(reason)}")
    {:next_state, :settled, %{order | outcome: {:cancelled, reason}}}
  end

  defp put_back(order) do
    # A branch that is closed takes nothing back.
    _ = Stock.put_back(order.branch)
    order
  end

  defp call_off(order) do
    :ok = Bank.call_off(order.id)
    order
  end

  defp amount(order), do: order.count * Application.fetch_env!(:shop, :prices)[order.item]
end
