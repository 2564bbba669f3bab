defmodule Lockstep.StrategiesTest do
  use ExUnit.Case, async: true
  use Lockstep

  alias Lockstep.{Failure, Runner, StepLimitError, Summary}

  # Two read a number, then write one more.
  defp lost_update do
    table = :ets.new(:numbers, [:public])
    :ets.insert(table, {:number, 0})

    increment = fn ->
      [{:number, number}] = :ets.lookup(table, :number)
      :ets.insert(table, {:number, number + 1})
    end

    for(_ <- 1..2, do: Task.async(increment)) |> Task.await_many()
    assert :ets.lookup(table, :number) == [number: 2]
  end

  # One has to come before all that another does, and the main process before both.
  defp late_first do
    main = self()
    spawn(fn -> for n <- 1..10, do: send(main, {:many, n}) end)
    spawn(fn -> send(main, :one) end)
    messages = for _ <- 1..11, do: receive(do: (message -> message))
    refute List.last(messages) == :one and Enum.at(messages, 9) == {:many, 10}
  end

  # How many runs there were, the one for the profile included.
  defp count_runs(fun, options) do
    runs = :counters.new(1, [])

    counted = fn ->
      Lockstep.Support.Outside.count(runs)
      fun.()
    end

    {Runner.explore(counted, [concurrency: 1] ++ options), :counters.get(runs, 1)}
  end

  describe "each strategy" do
    for strategy <- [:random, :pos, :surw, :pct, {:pct, 2}, :portfolio] do
      test "#{inspect(strategy)} finds a lost update, and its seed alone finds it again" do
        options = [strategy: unquote(Macro.escape(strategy)), max_stall: 0]
        assert {:failed, %Failure{} = failure} = Runner.explore(&lost_update/0, [seeds: 1..200] ++ options)
        assert {:failed, %Failure{} = again} = Runner.explore(&lost_update/0, [seed: failure.seed] ++ options)
        assert again.result.trace == failure.result.trace
        assert again.chosen == failure.chosen
        assert failure.nondeterminism == nil
        replay = {:replay, failure.result.choices}
        assert {:failed, replayed} = Runner.explore(&lost_update/0, seed: failure.seed, strategy: replay)
        assert replayed.result.events == failure.result.events
      end
    end

    test "gives the same seed the same run, with stalls, too" do
      for strategy <- [:pos, :surw, {:pct, 4}, :portfolio] do
        assert {:ok, _} = Runner.explore(&sleepy/0, strategy: strategy, seeds: 20, check_determinism: true)
      end
    end

    test "finds a message that comes last of eleven, if that is what it is for" do
      runs = fn strategy ->
        {:failed, failure} = Runner.explore(&late_first/0, strategy: strategy, seeds: 1..3_000, max_stall: 0)
        failure.run
      end

      assert runs.(:pct) < 100
      assert runs.(:surw) < 200
    end
  end

  defp sleepy do
    main = self()
    for n <- 1..3, do: spawn(fn -> Process.sleep(n) && send(main, n) end)
    for _ <- 1..3, do: receive(do: (n -> n), after: (2 -> :late))
    Process.send_after(self(), :tick, 5)
    assert_receive :tick
  end

  describe "the profile" do
    test "is made once, and only where a strategy needs it" do
      for {strategy, runs} <- [random: 5, fifo: 5, pos: 5, surw: 6, pct: 6] do
        assert {{:ok, %Summary{runs: 5}}, ^runs} = count_runs(&sleepy/0, strategy: strategy, seeds: 5)
      end

      {{:failed, failure}, _} = count_runs(&lost_update/0, strategy: :surw, seeds: 200)
      # The second run is the one that is recorded.
      replay = [strategy: {:replay, failure.result.choices}, seed: failure.seed]
      assert {{:failed, _}, 2} = count_runs(&lost_update/0, replay)
    end

    test "is made when the first seed of a portfolio needs it" do
      {_, without} = count_runs(&sleepy/0, strategy: :portfolio, seeds: seeds_of(:pos, 3))
      {_, with} = count_runs(&sleepy/0, strategy: :portfolio, seeds: seeds_of(:pos, 3) ++ seeds_of(:surw, 2))
      assert {without, with} == {3, 6}
    end

    test "is a run that can fail: the failure is that of seed 0, first come first served" do
      failure = assert_raise Failure, fn -> Runner.run(fn -> flunk("always") end, strategy: :surw, seeds: 5..9) end
      assert %Failure{seed: 0, run: 1, strategy: :fifo, chosen: :fifo} = failure
      assert failure.replay =~ "LOCKSTEP_SEED=0 LOCKSTEP_STRATEGY=fifo mix test test/lockstep/strategies_test.exs:"
      assert Exception.message(failure) =~ "seed 0, run 1 of 5, strategy :fifo,"
      assert failure.result.events != []
    end
  end

  describe "the portfolio" do
    test "says which strategy a seed had, and which one found the bug" do
      {:failed, failure} = Runner.explore(&lost_update/0, strategy: :portfolio, seeds: seeds_of({:pct, 2}, 200))
      assert %{strategy: :portfolio, chosen: {:pct, 2}} = failure
      assert failure.summary.found_by == {:pct, 2}
      assert failure.summary.strategies == %{{:pct, 2} => failure.run}
      assert Exception.message(failure) =~ "strategy :portfolio (pct, depth 2),"
    end

    test "counts the runs of each" do
      {:ok, summary} = Runner.explore(&sleepy/0, strategy: :portfolio, seeds: 100)
      assert summary.strategies |> Map.keys() |> Enum.sort() == [:pos, :random, :surw, {:pct, 2}, {:pct, 3}]
      assert summary.strategies |> Map.values() |> Enum.sum() == 100
      assert summary.strategies.surw > 25
      assert summary.found_by == nil
    end
  end

  defp seeds_of(strategy, count) do
    Stream.iterate(1, &(&1 + 1)) |> Stream.filter(&(Lockstep.Native.portfolio(&1) == strategy)) |> Enum.take(count)
  end

  test "polling for another process ends, whatever the strategy" do
    polling = fn ->
      main = self()
      pid = spawn(fn -> :erlang.yield() && send(main, :done) end)
      poll(pid)
    end

    for strategy <- [:pos, :surw, :pct, {:pct, 1}] do
      assert {:ok, _} = Runner.explore(polling, strategy: strategy, seeds: 10, max_stall: 0)
    end

    assert {:failed, %Failure{error: %StepLimitError{}}} = Runner.explore(fn -> poll(self()) end, seeds: 1)
  end

  defp poll(pid) do
    receive do
      :done -> :ok
    after
      0 -> poll(pid)
    end
  end
end
