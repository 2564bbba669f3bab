defmodule ShopScenario do
  @moduledoc false
  # A day of two branches, with what opening, closing and checking one takes.

  use Lockstep
  import ExUnit.Assertions

  alias Lockstep.Cluster
  alias Shop.{Bank, Stock}

  @doc "Both branches open, get more orders than they can fill, and close."
  def day do
    branches = open([:north, :south])

    outcomes =
      for(branch <- branches, id <- 1..4, do: {branch, id})
      |> Enum.map(&Task.async(fn -> {&1, order(&1)} end))
      |> Task.await_many(:infinity)

    for branch <- branches, do: assert_books_agree(branch)
    shipped = for {order, :shipped} <- outcomes, do: order
    assert Enum.sort(shipped) == branches |> Enum.flat_map(&Map.keys(Bank.payments(&1))) |> Enum.sort()
    for branch <- branches, do: close(branch)
  end

  def open(branches) do
    for branch <- Cluster.start_nodes(branches) do
      Cluster.run(branch, fn -> {:ok, _} = Application.ensure_all_started(:shop) end)
      branch
    end
  end

  def close(branch) do
    Cluster.run(branch, fn ->
      :ok = Application.stop(:shop)
      assert Process.whereis(Shop.Supervisor) == nil
      assert :ets.whereis(Stock) == :undefined
      refute List.keymember?(Application.started_applications(), :shop, 0)
    end)
  end

  defp order({branch, _} = order) do
    :ok = place(order)
    Cluster.run(branch, fn -> Shop.await(order) end)
  end

  def place({branch, id} = order) do
    Cluster.run(branch, fn -> Shop.order(order, Enum.at([:apples, :pears], rem(id, 2)), id) end)
  end

  @doc "Nothing is reserved any more, and each item is either there or sold."
  def assert_books_agree(branch) do
    inventory = Stock.inventory(branch)

    for {item, initial} <- Application.fetch_env!(:shop, :stock) do
      assert %{available: available, reserved: 0, sold: sold} = inventory[item]
      assert available >= 0 and available + sold == initial
    end
  end
end
