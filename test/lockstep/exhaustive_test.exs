defmodule Lockstep.ExhaustiveTest do
  # Small programs whose interleavings are counted by hand, in both deliveries. Where there are few schedules, all of them
  # are run as well, without any reduction: the orders of conflicting events among them are as many.
  # What is said on the standard error is the whole VM's.
  use ExUnit.Case, async: false
  use Lockstep

  alias Lockstep.{DeadlockError, NondeterminismError, OptionError, Runner}
  alias Lockstep.Options.Type

  @few_schedules 1_500

  defp all(fun, opts \\ []) do
    Runner.run(fun, Keyword.merge([strategy: :exhaustive, failures: false, shrink: false], opts))
  end

  defp count(expected, fun) when is_integer(expected), do: count([instant: expected, async: expected], fun)

  defp count(expected, fun) do
    for {delivery, number} <- expected do
      summary = all(fun, delivery: delivery)
      assert {delivery, summary.exhausted, summary.runs, summary.distinct} == {delivery, :all, number, number}
      opts = [delivery: delivery, strategy: {:exhaustive, delays: 0xFFFF}, max_runs: @few_schedules]
      {every, _said} = ExUnit.CaptureIO.with_io(:stderr, fn -> all(fun, opts) end)
      if every.exhausted == :all, do: assert({delivery, every.distinct} == {delivery, number})
    end
  end

  defp table(objects \\ []) do
    table = :ets.new(:table, [:public])
    :ets.insert(table, objects)
    table
  end

  describe "tables" do
    # 3! orders of the writes.
    test "three writers of one entry" do
      count(6, fn ->
        table = table()
        for n <- 1..3, do: spawn(fn -> :ets.insert(table, {:key, n}) end)
      end)
    end

    test "three readers" do
      count(1, fn ->
        table = table()
        for _ <- 1..3, do: spawn(fn -> :ets.lookup(table, :key) end)
      end)
    end

    # Each reader comes before or after the writer.
    test "two readers and a writer" do
      count(4, fn ->
        table = table()
        for _ <- 1..2, do: spawn(fn -> :ets.lookup(table, :key) end)
        spawn(fn -> :ets.insert(table, {:key, 1}) end)
      end)
    end

    # Two orders of the writes, and in each the reader before, between or after them.
    test "two writers and a reader" do
      count(6, fn ->
        table = table()
        for n <- 1..2, do: spawn(fn -> :ets.insert(table, {:key, n}) end)
        spawn(fn -> :ets.lookup(table, :key) end)
      end)
    end

    test "writers of different entries" do
      count(1, fn ->
        table = table()
        for n <- 1..3, do: spawn(fn -> :ets.insert(table, {n, n}) end)
      end)
    end

    # Who reads the whole table comes before or after each of the two.
    test "writers of different entries, and a reader of all" do
      count(4, fn ->
        table = table()
        for n <- 1..2, do: spawn(fn -> :ets.insert(table, {n, n}) end)
        spawn(fn -> :ets.tab2list(table) end)
      end)
    end

    # R W and R W: 4! / (2! 2!) = 6 orders, of which those are the same that only swap the reads: RRWW is one for each
    # order of the writes.
    test "read and write twice" do
      count(4, fn ->
        table = table(key: 0)
        for _ <- 1..2, do: spawn(fn -> increment(table) end)
      end)
    end

    test "an atomic update twice" do
      count(2, fn ->
        table = table(key: 0)
        for _ <- 1..2, do: spawn(fn -> :ets.update_counter(table, :key, 1) end)
      end)
    end

    # Who comes first.
    test "one of two inserts" do
      count(2, fn ->
        table = table()
        for n <- 1..2, do: spawn(fn -> :ets.insert_new(table, {:key, n}) end)
      end)
    end

    # Two writes each, all of one entry: 4! / (2! 2!).
    test "two writers that write twice" do
      count(6, fn ->
        table = table()
        for n <- 1..2, do: spawn(fn -> for _ <- 1..2, do: :ets.insert(table, {:key, n}) end)
      end)
    end

    # Two orders of the writes, two of the messages, in any combination; what comes after both messages comes last.
    test "what is written after a barrier" do
      count(4, fn ->
        {main, table} = {self(), table()}
        for n <- 1..2, do: spawn(fn -> send(main, {:written, :ets.insert(table, {:key, n})}) end)
        for _ <- 1..2, do: receive(do: ({:written, true} -> :ok))
        :ets.insert(table, {:key, 3})
      end)
    end

    test "three atomics" do
      count(6, fn ->
        atomics = :atomics.new(1, [])
        for _ <- 1..3, do: spawn(fn -> :atomics.add(atomics, 1, 1) end)
      end)
    end

    test "a persistent term that two put and one gets" do
      # As a table's entry: 2 orders, and 3 places for the read.
      count(6, fn ->
        for n <- 1..2, do: spawn(fn -> :persistent_term.put(:key, n) end)
        spawn(fn -> :persistent_term.get(:key, nil) end)
      end)
    end
  end

  defp increment(table) do
    [{:key, value}] = :ets.lookup(table, :key)
    :ets.insert(table, {:key, value + 1})
  end

  describe "messages" do
    # 3! orders of arrival.
    test "of three senders" do
      count(6, fn ->
        main = self()
        for n <- 1..3, do: spawn(fn -> send(main, n) end)
        for _ <- 1..3, do: receive(do: (n when is_integer(n) -> n))
      end)
    end

    # The order of each sender's is kept: 4! / (2! 2!).
    test "two of each of two senders" do
      count(6, fn ->
        main = self()
        for n <- 1..2, do: spawn(fn -> for k <- 1..2, do: send(main, {n, k}) end)
        for _ <- 1..4, do: receive(do: ({_, _} -> :ok))
      end)
    end

    test "to different receivers" do
      count(1, fn ->
        for n <- 1..2 do
          pid = spawn(fn -> receive(do: (n -> n)) end)
          spawn(fn -> send(pid, n) end)
        end
      end)
    end

    # The first arrives by itself, or with the second, which must not overtake it: whose name it was sent to shows only then.
    test "to a name on another node, and then to who has it" do
      count(2, fn ->
        [a, b] = Lockstep.Cluster.start_nodes([:a, :b])
        main = self()
        pid = Lockstep.Cluster.spawn(b, fn -> named(main) end)
        receive(do: (:ready -> :ok))

        Lockstep.Cluster.spawn(a, fn ->
          send({:named, b}, 1)
          for n <- 2..4, do: send(pid, n)
        end)

        receive(do: ({:got, numbers} -> [1, 2, 3, 4] = numbers))
      end)
    end

    # The order of arrival is all there is to choose.
    test "picked by what they are" do
      count(2, fn ->
        main = self()
        for name <- [:b, :a], do: spawn(fn -> send(main, name) end)
        for name <- [:a, :b], do: receive(do: (^name -> :ok))
      end)
    end

    # The second reads before it sends what the first does not wait for. Where that arrives first, the read comes before
    # the write, which needs the other message; where it arrives later, the read comes before or after the write. In async
    # delivery it may also be sent when the first has ended already, again after either order of read and write.
    test "that are passed over do not hide a race" do
      count([instant: 3, async: 5], fn ->
        table = table(key: 0)

        waits =
          spawn(fn ->
            receive(do: (:go -> :ets.insert(table, {:key, 1})))
          end)

        spawn(fn -> send(waits, {:read, :ets.lookup(table, :key)}) end)
        spawn(fn -> send(waits, :go) end)
      end)
    end

    test "that cause one another" do
      count(1, fn ->
        table = table()
        main = self()
        spawn(fn -> send(main, :ets.insert(table, {:key, 1})) end)
        receive(do: (true -> :ets.insert(table, {:key, 2})))
      end)
    end

    test "and who does not wait" do
      count(2, fn ->
        main = self()
        spawn(fn -> send(main, :late) end)

        receive do
          :late -> :ok
        after
          0 -> :gone
        end
      end)
    end

    # Before or after each of the two messages.
    test "and who does not wait, for the second of two" do
      count(3, fn ->
        main = self()
        spawn(fn -> for name <- [:one, :two], do: send(main, name) end)

        receive do
          :two -> :ok
        after
          0 -> :gone
        end
      end)
    end

    # An answer that takes no time is there before any timeout.
    test "an answer within a time" do
      count(1, fn ->
        main = self()
        echo = spawn(fn -> receive(do: (from when is_pid(from) -> send(from, :pong))) end)
        send(echo, main)

        receive do
          :pong -> :ok
        after
          100 -> raise "late"
        end
      end)
    end

    # Nothing can happen but the timeout.
    test "no answer within a time" do
      count(1, fn ->
        receive do
          :pong -> raise "an answer"
        after
          100 -> :ok
        end
      end)
    end

    # Both are due at once: the message comes before the timeout or after it.
    test "an answer at the very end of the time" do
      count(2, fn ->
        main = self()

        spawn(fn ->
          Process.sleep(100)
          send(main, :pong)
        end)

        receive do
          :pong -> :ok
        after
          100 -> :timeout
        end
      end)
    end
  end

  defp named(main) do
    Process.register(self(), :named)
    send(main, :ready)
    send(main, {:got, for(_ <- 1..4, do: receive(do: (n when is_integer(n) -> n)))})
  end

  describe "timers" do
    test "one that is due races with a message" do
      count(2, fn ->
        main = self()
        Process.send_after(main, :timer, 0)
        spawn(fn -> send(main, :message) end)
        for name <- [:timer, :message], do: receive(do: (^name -> :ok))
      end)
    end

    # It fires first, or never.
    test "one that is due races with its end" do
      count(2, fn -> self() |> Process.send_after(:timer, 0) |> Process.cancel_timer() end)
    end

    test "one that is not due does not" do
      count(1, fn -> self() |> Process.send_after(:timer, 10) |> Process.cancel_timer() end)
    end
  end

  describe "processes" do
    # The process has ended before it is watched, or ends later.
    test "the end, and somebody who wants to be told of it" do
      count(2, fn ->
        ref = Process.monitor(spawn(fn -> :ok end))
        receive(do: ({:DOWN, ^ref, :process, _, _} -> :ok))
      end)
    end

    test "the end of one who is watched from the start" do
      count(1, fn ->
        {_pid, ref} = spawn_monitor(fn -> :ok end)
        receive(do: ({:DOWN, ^ref, :process, _, :normal} -> :ok))
      end)
    end

    # It is not watched any more when it ends, or when the news is delivered, or the news has been delivered.
    test "the end, and somebody who no longer wants to be told of it" do
      count(3, fn ->
        {_pid, ref} = spawn_monitor(fn -> :ok end)
        Process.demonitor(ref)
      end)
    end

    # Before its start, between its start and its end, or after that.
    test "whether a process lives" do
      count(3, fn -> Process.alive?(spawn(fn -> :ok end)) end)
    end

    # Killed before its start, its write, its end, or after all. In async delivery the signal is under way meanwhile, or
    # finds nobody when it is sent.
    test "a kill" do
      count([instant: 4, async: 5], fn ->
        table = table()
        pid = spawn(fn -> :ets.insert(table, {:key, 1}) end)
        Process.exit(pid, :kill)
      end)
    end

    test "an exit signal that does nothing" do
      count([instant: 1, async: 2], fn -> Process.exit(spawn(fn -> :ok end), :normal) end)
    end

    # The signal kills the one in the middle before it traps exits; or it comes later; or the one in the middle has ended
    # before the other.
    test "the end of one who is linked, and somebody who begins to trap exits" do
      count(3, fn ->
        spawn(fn ->
          spawn_link(fn -> exit(:boom) end)
          Process.flag(:trap_exit, true)
        end)
      end)
    end

    test "a linked process that ends is heard of" do
      count(1, fn ->
        Process.flag(:trap_exit, true)
        pid = spawn_link(fn -> exit(:boom) end)
        receive(do: ({:EXIT, ^pid, :boom} -> :ok))
      end)
    end

    # Looked up before the name is there, while it is, or after the process has ended.
    test "a name" do
      count(3, fn ->
        spawn(fn -> Process.register(self(), :somebody) end)
        Process.whereis(:somebody)
      end)
    end

    test "one name for two" do
      count(2, fn ->
        for _ <- 1..2, do: spawn(fn -> register_and_stay() end)
      end)
    end

    # The order of the two requests; each answer goes to another.
    test "two calls of a server" do
      count(2, fn ->
        {:ok, agent} = Agent.start_link(fn -> 0 end)
        for _ <- 1..2, do: spawn(fn -> Agent.update(agent, &(&1 + 1)) end)
      end)
    end
  end

  defp register_and_stay do
    Process.register(self(), :somebody)
    Process.sleep(:infinity)
  rescue
    ArgumentError -> Process.sleep(:infinity)
  end

  describe "bugs" do
    test "a lost update is found, and its replay fails the same way" do
      lost = fn ->
        {main, table} = {self(), table(key: 0)}
        for _ <- 1..2, do: spawn(fn -> send(main, {:done, increment(table)}) end)
        for _ <- 1..2, do: receive(do: ({:done, true} -> :ok))
        [{:key, 2}] = :ets.lookup(table, :key)
      end

      {:failed, failure} = Runner.explore(lost, strategy: :exhaustive, failures: false, shrink: false)
      assert {:crash, :error, {:badmatch, [key: 1]}, _} = failure.error
      assert failure.nondeterminism == nil
      assert Exception.message(failure) =~ "strategy :exhaustive"

      [_, seed, choices] =
        Regex.run(~r/LOCKSTEP_SEED=(\d+) LOCKSTEP_STRATEGY=(replay:[\d,]*) mix test/, failure.replay)

      {:ok, strategy} = Type.parse_strategy(choices)
      opts = [seed: String.to_integer(seed), strategy: strategy, failures: false, shrink: false]
      assert {:failed, again} = Runner.explore(lost, opts)
      assert {:crash, :error, {:badmatch, [key: 1]}, _} = again.error
      assert again.result.hash == failure.result.hash
    end

    test "its corrected twin has none" do
      summary =
        all(fn ->
          {main, table} = {self(), table(key: 0)}
          for _ <- 1..2, do: spawn(fn -> send(main, {:done, :ets.update_counter(table, :key, 1)}) end)
          for _ <- 1..2, do: receive(do: ({:done, _} -> :ok))
          [{:key, 2}] = :ets.lookup(table, :key)
        end)

      # Two orders of the updates, two of the messages.
      assert to_string(summary) =~ ~r/^all 4 interleavings explored in /
    end

    test "a deadlock that one order of four has" do
      {:failed, failure} =
        Runner.explore(
          fn ->
            [one, two] = for _ <- 1..2, do: spawn(fn -> lock() end)
            main = self()
            for locks <- [[one, two], [two, one]], do: spawn(fn -> send(main, take(locks)) end)
            for _ <- 1..2, do: receive(do: (:both -> :ok))
          end,
          strategy: :exhaustive,
          failures: false,
          shrink: false
        )

      assert %DeadlockError{} = failure.error
    end
  end

  defp lock do
    receive do
      {:take, from} -> send(from, {:taken, self()})
    end

    receive(do: (:give -> lock()))
  end

  defp take(locks) do
    for lock <- locks do
      send(lock, {:take, self()})
      receive(do: ({:taken, ^lock} -> :ok))
    end

    for lock <- locks, do: send(lock, :give)
    :both
  end

  describe "the search" do
    defp writers(count) do
      table = table()
      for n <- 1..count, do: spawn(fn -> for _ <- 1..3, do: :ets.insert(table, {:key, n}) end)
    end

    # 9! / (3!)^3.
    test "runs nothing twice, and gives nothing up" do
      summary = all(fn -> writers(3) end)
      assert {summary.runs, summary.distinct, summary.abandoned} == {1680, 1680, 0}
    end

    test "says when it is not complete" do
      said =
        ExUnit.CaptureIO.capture_io(:stderr, fn ->
          summary = all(fn -> writers(3) end, max_runs: 50)
          assert {summary.exhausted, summary.runs} == {:limit, 50}
          assert to_string(summary) =~ "not all interleavings explored: 50, then max_runs: ended the search"
        end)

      # Also where nobody sees the summary.
      assert said =~ "lockstep: not all interleavings explored: 50"
    end

    test "can be bounded" do
      summary = all(fn -> writers(2) end, strategy: {:exhaustive, preemptions: 0})
      # One after the other, whoever begins.
      assert summary.distinct == 2
      assert to_string(summary) =~ ~r/^all \d+ schedules with at most 0 preemptions run, 2 interleavings/
      opts = [strategy: {:exhaustive, delays: 1}, max_runs: 3]
      {summary, _said} = ExUnit.CaptureIO.with_io(:stderr, fn -> all(fn -> writers(2) end, opts) end)
      assert to_string(summary) =~ ~r/^not all of the schedules with at most 1 delay run: 3, then max_runs: ended/
    end

    test "gives the program the same random numbers in all runs, in whatever order it draws them" do
      drawn =
        for strategy <- [:fifo, :random, :exhaustive] do
          parent = self()

          Runner.run(
            fn ->
              main = self()
              for n <- 1..2, do: spawn(fn -> send(main, {n, :rand.uniform(1_000_000)}) end)
              drawn = for n <- 1..2, do: receive(do: ({^n, number} -> number))
              Lockstep.host(fn -> send(parent, {:drawn, drawn}) end)
            end,
            strategy: strategy,
            seed: 1
          )

          receive(do: ({:drawn, drawn} -> drawn))
        end

      assert [same, same, same] = drawn
    end

    test "notices that a program is not the same in every run" do
      counter = :counters.new(1, [])

      {:failed, failure} =
        Runner.explore(
          fn ->
            Lockstep.host(fn -> :counters.add(counter, 1, 1) end)
            writers(1 + Lockstep.host(fn -> :counters.get(counter, 1) end))
          end,
          strategy: :exhaustive,
          failures: false,
          shrink: false
        )

      assert %NondeterminismError{} = failure.error
      assert Exception.message(failure) =~ "a run whose choices were so far those of an earlier one"
    end

    test "takes no faults, and nothing else that only seeds have" do
      for opts <- [[faults: [crash: true]], [check_determinism: true], [trace: "somewhere"]] do
        error = assert_raise OptionError, fn -> all(fn -> :ok end, opts) end
        assert Exception.message(error) =~ "strategy: :exhaustive"
      end

      error = assert_raise OptionError, fn -> all(fn -> :ok end, strategy: {:exhaustive, 3}) end
      assert Exception.message(error) =~ "{:exhaustive, preemptions: 2}"
    end

    test "has names in the environment" do
      assert Type.parse_strategy("exhaustive") == {:ok, :exhaustive}
      assert Type.parse_strategy("exhaustive:preemptions:2") == {:ok, {:exhaustive, [preemptions: 2]}}
      assert {:error, _} = Type.parse_strategy("exhaustive:often:2")
      assert Type.parse_strategy("replay:1,0,2") == {:ok, {:replay, [1, 0, 2]}}
      assert Type.parse_strategy("replay:") == {:ok, {:replay, []}}
      assert {:error, _} = Type.parse_strategy("replay:1,x")
    end
  end
end
