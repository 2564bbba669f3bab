Code.require_file("scenario.exs", __DIR__)

defmodule ShopTest do
  use Lockstep.Case, async: true

  import ExUnit.CaptureLog
  import ShopScenario

  alias Lockstep.Cluster
  alias Shop.{Bank, Stock}

  @moduletag timeout: 300_000

  @tag lockstep: [seeds: 1..1000, escapes: :raise]
  test "what is paid for is sold, and nothing gets lost" do
    ShopScenario.day()
  end

  @tag lockstep: [seeds: 1..1000, escapes: :raise]
  test "a branch that closes stops its orders first, and they put back what is not paid for" do
    [north, south] = open([:north, :south])

    log =
      capture_log(fn ->
        for id <- 1..4, do: :ok = place({south, id})
        Process.sleep(:rand.uniform(150))
        close(south)
      end)

    assert log =~ ~r/south closes with \d orders.*stock of south closes with 0 reservations.*south is closed/s
    # Not all of these apples had been in the south.
    assert_books_agree(north)
  end

  @tag lockstep: [seeds: 1..1000, escapes: :raise]
  test "a branch survives the other one's node, and an order that is killed" do
    [north, south] = open([:north, :south])
    for branch <- [north, south], id <- 1..3, do: :ok = place({branch, id})
    killed = Cluster.run(north, fn -> GenServer.whereis({:via, Registry, {Shop.Registry, {north, 1}}}) end)
    Process.sleep(:rand.uniform(150))
    if killed, do: Process.exit(killed, :kill)
    Cluster.stop_node(south)

    for id <- 2..3 do
      outcome = Cluster.run(north, fn -> Shop.await({north, id}) end)
      assert outcome == :shipped == Map.has_key?(Bank.payments(north), {north, id})
    end

    Process.sleep(1000)
    assert_books_agree(north)
  end

  @tag lockstep: [seeds: 1..1000, escapes: :raise]
  test "what has started after the bank is restarted with it" do
    [north] = open([:north])

    Cluster.run(north, fn ->
      names = [Shop.Registry, Stock, Bank, Shop.Payments, Shop.Orders]
      before = Enum.map(names, &Process.whereis/1)
      :ok = Shop.order(1, :apples, 1)
      Process.exit(Process.whereis(Bank), :kill)
      Process.sleep(1000)

      restarted = for {name, pid} <- Enum.zip(names, before), Process.whereis(name) != pid, do: name
      assert restarted == [Bank, Shop.Payments, Shop.Orders]
      assert Shop.await(1) == :unknown
      :ok = Shop.order(2, :apples, 1)
      assert Shop.await(2) in [:shipped, {:cancelled, :too_late}]
    end)

    assert_books_agree(north)
  end
end
