defmodule Lockstep.Runner.CoverageTest do
  use ExUnit.Case, async: true
  use Lockstep

  alias Lockstep.{Runner, Summary}
  alias Lockstep.Runner.Coverage

  defp of(hashes), do: Enum.reduce(hashes, %Coverage{}, &Coverage.add(&2, &1))

  test "counts what is different, and what was met once" do
    for {hashes, distinct, singletons} <- [{[], 0, 0}, {[1], 1, 1}, {[1, 1], 1, 0}, {[1, 2, 1, 1, 3], 3, 2}] do
      coverage = of(hashes)
      assert {Coverage.distinct(coverage), Coverage.singletons(coverage)} == {distinct, singletons}
    end
  end

  # Schedules that are equally likely: what the estimate says is what is missing, of which we know how much it is.
  test "the estimate is near to what is really missing" do
    :rand.seed(:exsss, {1, 2, 3})

    for {kinds, runs} <- [{100, 50}, {100, 100}, {100, 300}, {10, 1000}] do
      {estimates, missing} =
        for _ <- 1..200 do
          coverage = of(for _ <- 1..runs, do: :rand.uniform(kinds))

          {Coverage.unseen(%{runs: runs, singletons: Coverage.singletons(coverage)}),
           1 - Coverage.distinct(coverage) / kinds}
        end
        |> Enum.unzip()

      assert_in_delta Enum.sum(estimates) / 200, Enum.sum(missing) / 200, 0.02
    end
  end

  test "of many schedules a sample is kept, and the counts are still about right" do
    :rand.seed(:exsss, {1, 2, 3})
    hashes = for _ <- 1..300_000, do: :rand.uniform(0xFFFF_FFFF_FFFF_FFFF)
    coverage = of(hashes ++ Enum.take(hashes, 100_000))
    assert map_size(coverage.met) in 16_384..32_768
    assert_in_delta Coverage.distinct(coverage) / 300_000, 1, 0.02
    assert_in_delta Coverage.singletons(coverage) / 200_000, 1, 0.03
    exact = Enum.reduce(hashes, Coverage.exact(), &Coverage.add(&2, &1))
    assert Coverage.distinct(exact) == 300_000
  end

  test "parts put together are the whole, in any order" do
    :rand.seed(:exsss, {4, 5, 6})
    hashes = for _ <- 1..100_000, do: :rand.uniform(0xFFFF_FFFF_FFFF_FFFF)
    hashes = hashes ++ Enum.take_random(hashes, 20_000)
    whole = of(hashes)

    for parts <- [[2, 119_998], [60_000, 60_000], [100, 40_000, 40_000, 39_900]] do
      {parts, []} = Enum.map_reduce(parts, hashes, &Enum.split(&2, &1))
      parts = Enum.map(parts, &of/1)
      assert Enum.reduce(parts, &Coverage.merge(&2, &1)) == whole
      assert Enum.reduce(parts, &Coverage.merge(&1, &2)) == whole
    end
  end

  test "few runs say nothing" do
    assert Summary.unseen(%Summary{runs: 19, singletons: 19}) == nil
    assert Coverage.describe(nil) == ""
  end

  test "in words" do
    assert Coverage.describe(0.0) =~ "each met more than once"
    assert Coverage.describe(0.02) =~ "1 in 50 further seeds would show another: they bring little"
    assert Coverage.describe(0.973) == " (97 % of further seeds would show another)"
  end

  test "a program with few schedules is soon all seen, one with many is not" do
    few = fn ->
      main = self()
      spawn(fn -> send(main, :done) end)
      receive do: (:done -> :ok)
    end

    many = fn -> for _ <- 1..8, do: spawn(fn -> for _ <- 1..8, do: Process.sleep(1) end) end
    assert Summary.unseen(Runner.run(few, seeds: 400, max_stall: 0)) < 0.05
    assert Summary.unseen(Runner.run(many, seeds: 50, await: :quiescence)) > 0.5
  end
end
