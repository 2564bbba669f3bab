defmodule Shop do
  @moduledoc """
  A shop with branches: one on each node, with its own stock and its own bank account.

  An order takes items from the stock of its branch, or of another one that has enough, and is then paid for. One that
  cannot be paid for in time puts the items back.
  """

  alias Shop.{Order, Orders}

  @doc "Places an order with this node's branch; the order goes on by itself."
  @spec order(Order.id(), Shop.Stock.item(), pos_integer()) :: :ok | {:error, :already_placed}
  def order(id, item, count) do
    case DynamicSupervisor.start_child(Orders, {Order, {id, item, count}}) do
      {:ok, _pid} -> :ok
      {:error, {:already_started, _pid}} -> {:error, :already_placed}
    end
  end

  @doc "Waits until the order is shipped or cancelled. `:unknown` is also one that was settled some time ago."
  @spec await(Order.id()) :: Order.outcome() | :unknown
  def await(id) do
    Order.await(id)
  catch
    :exit, {reason, _call} when reason in [:noproc, :normal, :shutdown] -> :unknown
  end

  @doc "How many of the item this node's branch has to sell."
  @spec available(Shop.Stock.item()) :: non_neg_integer()
  defdelegate available(item), to: Shop.Stock
end
