defmodule Lockstep.Options.ShardTest do
  use ExUnit.Case, async: true
  use Lockstep

  alias Lockstep.{OptionError, Options, Runner}
  alias Lockstep.Options.Shard

  defp valid(opts, env \\ %{}) do
    {:ok, options} = Options.validate(opts, env)
    {options.shard, options.seeds}
  end

  defp message(opts, env \\ %{}) do
    {:error, %OptionError{} = error} = Options.validate(opts, env)
    Exception.message(error)
  end

  defp take(shard, env, argv \\ ["test"]) do
    options = %{shard: shard, seeds: 1..10, strategy: :random, overridden: []}
    with {:ok, %{shard: shard}} <- Shard.take(options, env, argv), do: shard
  end

  test "the shards have every seed once, in order" do
    for seeds <- [1..10, 3..100//7, 5..5, [9, 4, 7, 1]], count <- 1..6 do
      shards = for number <- 1..count, do: elem(valid(seeds: seeds, shard: {number, count}), 1)
      assert shards |> Enum.flat_map(&Enum.to_list/1) |> Enum.sort() == Enum.sort(seeds)
      assert Enum.all?(shards, &(Enum.to_list(&1) == Enum.filter(seeds, fn seed -> seed in &1 end)))
      sizes = Enum.map(shards, &Enum.count/1)
      assert Enum.max(sizes) - Enum.min(sizes) <= 1
    end
  end

  test "a range stays one, however long it is" do
    assert valid(seeds: 1_000_000_000, shard: {2, 4}) == {{2, 4}, 2..1_000_000_000//4}
  end

  test "wrong values" do
    for wrong <- [{0, 4}, {5, 4}, {1, 0}, {1, -1}, {1.0, 2}, 2, "2/4", {:partition, 0}, [1, 2]] do
      assert message(shard: wrong) =~ "expected {number, count}, such as shard: {2, 4} for the second of four"
    end

    for wrong <- ["2", "2/", "0/4", "5/4", "a/b", "1/2/3", "2 /4"] do
      assert message([], %{"LOCKSTEP_SHARD" => wrong}) =~ "such as LOCKSTEP_SHARD=2/4 for the second of four"
    end

    assert message(shard: {1, 2}, strategy: :exhaustive) =~ "has no seeds to share out"
  end

  test "the environment wins" do
    assert valid([shard: {1, 2}], %{"LOCKSTEP_SHARD" => "2/4"}) == {{2, 4}, 2..100//4}
    assert valid([seeds: 5], %{"LOCKSTEP_SHARD" => "2/4", "LOCKSTEP_SEEDS" => "20"}) == {{2, 4}, 2..20//4}
    # One that is replayed is run wherever it is.
    assert valid([shard: {1, 2}], %{"LOCKSTEP_SHARD" => "2/4", "LOCKSTEP_SEED" => "7"}) == {nil, [7]}
    # A search of all interleavings is made by each.
    assert {nil, _seeds} = valid([strategy: :exhaustive], %{"LOCKSTEP_SHARD" => "2/4"})
  end

  describe ":partition" do
    test "takes the number from Mix, and the count from the option or the environment" do
      assert take(:partition, %{"MIX_TEST_PARTITION" => "2", "LOCKSTEP_PARTITIONS" => "4"}) == {2, 4}
      assert take({:partition, 3}, %{"MIX_TEST_PARTITION" => "3"}) == {3, 3}
      assert valid([shard: {:partition, 4}], %{"MIX_TEST_PARTITION" => "4"}) == {{4, 4}, 4..100//4}
      assert valid([], %{"MIX_TEST_PARTITION" => "4", "LOCKSTEP_PARTITIONS" => "4"}) == {nil, 1..100}

      assert valid([], %{"LOCKSTEP_SHARD" => "partition", "MIX_TEST_PARTITION" => "1", "LOCKSTEP_PARTITIONS" => "4"}) ==
               {{1, 4}, 1..100//4}
    end

    test "is everything where there are no partitions, or where they share the files" do
      assert take(:partition, %{}) == nil
      assert take(:partition, %{"MIX_TEST_PARTITION" => ""}) == nil
      env = %{"MIX_TEST_PARTITION" => "2", "LOCKSTEP_PARTITIONS" => "4"}
      assert take(:partition, env, ["test", "--partitions", "4"]) == nil
      assert take({:partition, 4}, env, ["test", "test/a_test.exs", "--partitions=4", "--trace"]) == nil
      assert take(:partition, env, ["test", "--partitions", "1"]) == {2, 4}
    end

    test "needs both numbers to be right" do
      assert {:error, :shard, :partition, text} = take(:partition, %{"MIX_TEST_PARTITION" => "2"})
      assert text =~ "how many partitions there are is not known; set LOCKSTEP_PARTITIONS"

      for {number, count} <- [{"5", "4"}, {"0", "4"}, {"b", "4"}, {"2", "many"}] do
        env = %{"MIX_TEST_PARTITION" => number, "LOCKSTEP_PARTITIONS" => count}
        assert {:error, :shard, :partition, text} = take(:partition, env)
        assert text =~ "MIX_TEST_PARTITION is #{inspect(number)}, which is no number from 1 to the count"
      end
    end
  end

  test "a sweep runs the seeds of its shard, and those only" do
    fails = fn -> if :rand.uniform(30) == 1, do: flunk("drawn") end
    options = [strategy: :fifo, shrink: false, failures: false]
    sweep = &Runner.explore(fails, [seeds: 1..200, shard: &1] ++ options)
    assert {:failed, %{seed: seed, run: seed}} = sweep.({1, 1})
    number = rem(seed - 1, 3) + 1
    run = div(seed - 1, 3) + 1
    assert {:failed, %{seed: ^seed, run: ^run, summary: %{total: total}}} = sweep.({number, 3})
    assert total in 66..67
    assert {:ok, %{runs: runs, total: runs}} = Runner.explore(fn -> :ok end, seeds: 1..200, shard: {2, 3})
    assert runs == 67
  end

  test "a shard without any seed runs nothing" do
    assert {:ok, summary} = Runner.explore(fn -> flunk("run") end, seeds: 2, shard: {3, 4})
    assert {summary.runs, summary.total} == {0, 0}
    assert to_string(summary) =~ "0 runs"
    assert {:ok, %{runs: 0}} = Runner.explore(fn -> flunk("run") end, seeds: [1], shard: {2, 2}, sometimes: ["never"])
  end
end
