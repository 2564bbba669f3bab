defmodule Lockstep.Runner.LedgerTest do
  use ExUnit.Case, async: true

  alias Lockstep.Runner.{Account, Ledger}
  alias Lockstep.Simulation.Result

  # What a run of a seed comes to: anything, as long as the seed decides it.
  defp result(seed) do
    %Result{
      steps: seed,
      virtual_ms: 2 * seed,
      interleaving: rem(seed * seed, 37),
      escapes: if(rem(seed, 5) == 0, do: [{{File, :exists?, 1, {"a.ex", rem(seed, 3)}}, 1}], else: []),
      sometimes: if(rem(seed, 3) == 0, do: [{"three", rem(seed, 9) == 0, {"a.ex", seed}}], else: [])
    }
  end

  defp account(seeds, account \\ Account.new()),
    do: Enum.reduce(seeds, account, &Account.add(&2, Enum.at([:pos, :surw], rem(&1, 2)), result(&1)))

  # The account of a chunk, up to the seed that fails if there is one, and what was found.
  defp run(seeds, failing) do
    case Enum.split_while(seeds, &(&1 not in failing)) do
      {passing, []} -> {account(passing), nil}
      {passing, [failed | _]} -> {account(passing ++ [failed]), {:failed, failed}}
    end
  end

  # Some workers at a time, of which any may be the next that has finished, or be lost.
  defp sweep(ledger, failing, given \\ []) do
    cond do
      Ledger.complete?(ledger) -> {Ledger.account(ledger), ledger.finding}
      length(given) < 4 -> hand_out(ledger, failing, given)
      true -> finish(ledger, failing, given)
    end
  end

  defp hand_out(ledger, failing, given) do
    case Ledger.take(ledger, :rand.uniform(9)) do
      {nil, ledger} -> finish(ledger, failing, given)
      {chunk, ledger} -> sweep(ledger, failing, [chunk | given])
    end
  end

  defp finish(ledger, failing, given) do
    {place, seeds} = chunk = Enum.random(given)
    given = List.delete(given, chunk)

    if :rand.uniform(10) == 1 do
      ledger |> Ledger.give_back(chunk) |> sweep(failing, given)
    else
      {account, finding} = run(seeds, failing)
      ledger |> Ledger.enter(place, account, finding) |> sweep(failing, given)
    end
  end

  test "in whatever chunks and order the seeds are run, the account is that of one after the other" do
    for number <- 1..300 do
      :rand.seed(:exsss, number)
      count = :rand.uniform(120)
      seeds = Enum.random([1..count, 7..(7 + 3 * count)//3, Enum.shuffle(1..count)])
      failing = Enum.take_random(seeds, Enum.random([0, 0, 1, 2, 5]))
      {expected, found} = run(Enum.to_list(seeds), failing)
      expected = Account.merge(Account.new(["three", "never"]), expected)

      assert {^expected, finding} = seeds |> Ledger.new(Account.new(["three", "never"])) |> sweep(failing)
      assert finding == if(found, do: {expected.runs - 1, found})
    end
  end

  test "accounts that are put together are the account of all" do
    for middle <- [1, 2, 50, 99] do
      assert Account.merge(account(1..middle), account((middle + 1)..100)) == account(1..100)
    end
  end

  test "a part that comes later is put to its neighbours" do
    ledger = Ledger.new(1..10, Account.new())
    {chunks, ledger} = Enum.map_reduce(1..5, ledger, fn _, ledger -> Ledger.take(ledger, 2) end)
    assert chunks == [{0, 1..2}, {2, 3..4}, {4, 5..6}, {6, 7..8}, {8, 9..10}]
    ledger = Enum.reduce([6, 2, 8, 4], ledger, &Ledger.enter(&2, &1, account((&1 + 1)..(&1 + 2)), nil))
    assert [{0, 0, _}, {2, 10, rest}] = ledger.done
    assert rest == account(3..10)
    refute Ledger.complete?(ledger)
    assert ledger |> Ledger.enter(0, account(1..2), nil) |> Ledger.complete?()
  end

  test "after a failure nothing that comes later is handed out or entered" do
    {[_, _, _, {6, last}], ledger} =
      Enum.map_reduce(1..4, Ledger.new(1..10, Account.new()), fn _, ledger -> Ledger.take(ledger, 2) end)

    ledger = Ledger.enter(ledger, 4, account([5]), :failed)
    assert Ledger.limit(ledger) == 5
    assert {nil, ledger} = Ledger.take(ledger, 2)
    assert Ledger.enter(ledger, 6, account(last), :later) == ledger
    assert Ledger.give_back(ledger, {6, last}) == ledger
    assert {{2, 3..4}, ledger} = ledger |> Ledger.give_back({2, 3..4}) |> Ledger.take(1)
    ledger = ledger |> Ledger.enter(2, account(3..4), nil) |> Ledger.enter(0, account([1]), :sooner)
    assert {Ledger.complete?(ledger), Ledger.account(ledger), ledger.finding} == {true, account([1]), {0, :sooner}}
  end

  test "no seeds at all are soon done" do
    ledger = Ledger.new([], Account.new())
    assert {nil, ^ledger} = Ledger.take(ledger, 5)
    assert Ledger.complete?(ledger)
  end
end
