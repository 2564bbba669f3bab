defmodule Lockstep.Parallel.Where do
  # Not under control: on which scheduler of the VM the caller really is, after a while of work.
  def scheduler do
    work(:erlang.monotonic_time(:microsecond) + 100)
    :erlang.system_info(:scheduler_id)
  end

  defp work(until), do: if(:erlang.monotonic_time(:microsecond) < until, do: work(until))

  def for_ever, do: for_ever()
end

defmodule Lockstep.ParallelTest do
  use ExUnit.Case
  use Lockstep

  import ExUnit.CaptureIO

  alias Lockstep.{Failure, Runner, Summary}
  alias Lockstep.Parallel.Where

  # Four processes, some time, and what a summary counts.
  defp busy do
    main = self()

    for n <- 1..4 do
      spawn(fn ->
        Process.sleep(1)
        send(main, n)
      end)
    end

    order = for _ <- 1..4, do: receive(do: (n -> n))
    Lockstep.sometimes("in order", order == [1, 2, 3, 4])
    Lockstep.sometimes("the last not last", List.last(order) != 4)
    File.exists?("mix.exs")
    order
  end

  defp fails_rarely do
    if busy() == [4, 3, 2, 1], do: flunk("backwards")
  end

  defp comparable(%Summary{} = summary), do: %{summary | wall_ms: 0}
  defp comparable(%Failure{} = failure), do: {failure.seed, failure.run, failure.chosen, comparable(failure.summary)}

  defp with_each_concurrency(fun, options) do
    for concurrency <- [1, 2, 4, 5] do
      {outcome, what} = Runner.explore(fun, [concurrency: concurrency] ++ options)
      {outcome, comparable(what)}
    end
  end

  describe "whatever the concurrency" do
    test "a sweep that passes has the same summary" do
      for strategy <- [:portfolio, :random, :surw] do
        [alone | others] = with_each_concurrency(&busy/0, seeds: 300, strategy: strategy, escapes: :allow)
        assert {:ok, %{runs: 300, distinct: distinct, escapes: escapes, sometimes: sometimes}} = alone
        assert distinct > 10
        assert Enum.sum(Map.values(escapes)) == 300
        assert %{"in order" => in_order, "the last not last" => changed} = sometimes
        assert in_order in 1..299 and changed in 1..299
        assert Enum.uniq(others) == [alone]
      end
    end

    test "a sweep that fails does so with the same seed, and has the same account of the seeds before" do
      options = [seeds: 1..5_000, escapes: :allow, shrink: false, failures: false]
      [alone | others] = with_each_concurrency(&fails_rarely/0, options)
      assert {:failed, {seed, run, _chosen, %Summary{runs: run, total: 5_000}}} = alone
      assert seed == run and run > 5
      assert Enum.uniq(others) == [alone]
    end

    test "a list of seeds is run in its order" do
      fails = fn -> if :rand.uniform(20) == 1, do: flunk("drawn") end
      seeds = Enum.shuffle(1..200)
      [alone | others] = with_each_concurrency(fails, seeds: seeds, strategy: :fifo, shrink: false, failures: false)
      assert {:failed, {seed, run, :fifo, _summary}} = alone
      assert Enum.at(seeds, run - 1) == seed
      assert Enum.uniq(others) == [alone]
    end

    test "the undisturbed run that fails is told of in the same way" do
      fails = fn -> if busy() == [1, 2, 3, 4], do: flunk("in order") end
      options = [seeds: 50, strategy: :surw, escapes: :allow, shrink: false, failures: false]
      [alone | others] = with_each_concurrency(fails, options)
      assert {:failed, {0, 1, :fifo, %Summary{runs: 1, total: 50}}} = alone
      assert Enum.uniq(others) == [alone]
    end

    test "check_determinism: finds the same difference" do
      differs = fn -> Process.sleep(Lockstep.host(fn -> :rand.uniform(1_000_000) end)) end

      for concurrency <- [1, 2] do
        options = [seeds: 3..9, check_determinism: true, concurrency: concurrency, failures: false]

        assert {:failed, %Failure{seed: 3, run: 1, error: %Lockstep.NondeterminismError{}}} =
                 Runner.explore(differs, options)
      end
    end
  end

  # What each of some seeds draws first.
  defp draws(seeds) do
    test = self()

    for seed <- seeds do
      Runner.run(fn -> :rand.uniform(1_000_000) |> then(&Lockstep.host(fn -> send(test, &1) end)) end, draw(seed))
      receive do: (drawn -> drawn)
    end
  end

  defp draw(seed), do: [seed: seed, strategy: :fifo]

  test "the failure that comes first among the seeds is told of, though another is there sooner" do
    [one, two] = draws([1, 2])
    failed = :atomics.new(2, [])

    fun = fn ->
      case :rand.uniform(1_000_000) do
        ^one ->
          Lockstep.host(fn -> await(failed, 1, 500) end)
          flunk("one")

        ^two ->
          Lockstep.host(fn -> :atomics.put(failed, 1, 1) end)
          flunk("two")

        _other ->
          :ok
      end
    end

    options = [seeds: 1..100, strategy: :fifo, concurrency: 2, shrink: false, failures: false]
    assert {:failed, %Failure{seed: 1, run: 1, summary: %{runs: 1}} = failure} = Runner.explore(fun, options)
    assert Exception.message(failure) =~ "one"
    assert :atomics.get(failed, 1) == 1
    assert :atomics.get(failed, 2) == 0, "the second run did not begin while the first was waiting"
  end

  test "one worker alone makes no run after the one that fails" do
    runs = :counters.new(1, [])

    fails = fn ->
      Lockstep.host(fn -> :counters.add(runs, 1, 1) end)
      if :rand.uniform(50) == 1, do: flunk("drawn")
    end

    options = [seeds: 10_000, strategy: :fifo, concurrency: 1, shrink: false, failures: false]
    assert {:failed, %Failure{run: run}} = Runner.explore(fails, options)
    # Once more to be recorded.
    assert :counters.get(runs, 1) == run + 1
    assert run > 5
  end

  # Until another run has said that it was there, but not for ever; the second number says that it was in vain.
  defp await(failed, said, 0), do: :atomics.put(failed, 2, said)

  defp await(failed, said, tries) do
    if :atomics.get(failed, said) == 0 do
      :timer.sleep(10)
      await(failed, said, tries - 1)
    end
  end

  # Others that want to run, too, would make the VM move a process that is not bound: in one of ten of these runs.
  test "all processes of a run stay on one scheduler" do
    test = self()
    others = for _ <- 1..2, do: spawn(&Where.for_ever/0)
    Runner.run(fn -> wander(test) end, seeds: 200, strategy: :random, concurrency: 2)
    for pid <- others, do: Process.exit(pid, :kill)
    seen = for _ <- 1..200, do: receive(do: ({:seen, schedulers} -> schedulers))
    assert Enum.all?(seen, &match?([_one], &1))
    assert seen |> Enum.uniq() |> length() == min(2, System.schedulers_online())
  end

  defp wander(test) do
    main = self()
    answering = for _ <- 1..3, do: spawn(fn -> for _ <- 1..5, do: answer(main) end)

    seen =
      for _ <- 1..5, pid <- answering do
        send(pid, :where)
        receive do: (there -> [there, Where.scheduler()])
      end

    Lockstep.host(fn -> send(test, {:seen, seen |> List.flatten() |> Enum.uniq()}) end)
  end

  defp answer(main), do: receive(do: (:where -> send(main, Where.scheduler())))

  test "other nodes can take part only where there is a distribution" do
    refute Node.alive?()

    assert {:failed, %Lockstep.OptionError{} = error} =
             Runner.explore(fn -> :ok end, seeds: 2, hosts: [:"a@127.0.0.1"])

    assert Exception.message(error) =~ "this VM is no node and cannot be connected with others; start it with --sname"
  end

  test "what is printed outside of control goes where the caller's output goes" do
    print = fn -> Lockstep.host(fn -> IO.puts("here") end) end
    printed = capture_io(fn -> Runner.run(print, seeds: 20, strategy: :random, concurrency: 2) end)
    assert printed == String.duplicate("here\n", 20)
  end

  test "an escape is warned of once" do
    escape = fn -> File.exists?("mix.lock") end
    warned = capture_io(:stderr, fn -> Runner.run(escape, seeds: 50, concurrency: 2) end)
    assert length(String.split(warned, "the same seed may not give the same run")) == 2
  end

  describe "nothing is left" do
    defp left(before), do: {Process.list() -- elem(before, 0), :ets.all() -- elem(before, 1)}
    defp now, do: {Process.list(), :ets.all()}

    defp gone(before, tries \\ 500) do
      case left(before) do
        {[], []} -> :gone
        _left when tries > 0 -> :timer.sleep(10) && gone(before, tries - 1)
        left -> left
      end
    end

    # All that is started once has been.
    setup do
      Runner.explore(&busy/0, seeds: 20, escapes: :allow)
      :ok
    end

    test "of a sweep that passes, or fails" do
      before = now()
      Runner.explore(&busy/0, seeds: 100, escapes: :allow, concurrency: 3)
      Runner.explore(&fails_rarely/0, seeds: 1_000, escapes: :allow, concurrency: 3, shrink: false, failures: false)
      assert gone(before) == :gone
      assert Process.info(self(), [:message_queue_len, :links]) == [message_queue_len: 0, links: []]
    end

    test "of a sweep that fails while another run is at an endless loop" do
      [one, _two] = draws([1, 2])
      before = now()

      fun = fn ->
        if :rand.uniform(1_000_000) == one,
          do: Lockstep.host(fn -> :timer.sleep(50) end) && flunk("one"),
          else: forever()
      end

      {micros, {:failed, failure}} =
        :timer.tc(fn ->
          Runner.explore(fun, seeds: 1..2, strategy: :fifo, concurrency: 2, shrink: false, watchdog: 20_000)
        end)

      assert failure.seed == 1
      assert micros < 15_000_000
      assert gone(before) == :gone
    end

    test "when the caller is killed" do
      before = now()

      caller =
        spawn(fn ->
          Runner.run(fn -> Process.sleep(1) && busy() end, seeds: 10_000_000, escapes: :allow, concurrency: 3)
        end)

      :timer.sleep(300)
      assert length(Process.list() -- elem(before, 0)) > 5
      Process.exit(caller, :kill)
      assert gone(before) == :gone
    end

    test "when what makes the runs is killed from outside" do
      before = now()
      test = self()

      {caller, monitor} =
        spawn_monitor(fn -> Runner.run(&busy/0, seeds: 10_000_000, escapes: :allow, concurrency: 3) end)

      :timer.sleep(300)
      for pid <- Process.list() -- elem(before, 0), pid not in [caller, test], do: Process.exit(pid, :kill)
      assert_receive {:DOWN, ^monitor, :process, ^caller, _reason}, 10_000
      assert gone(before) == :gone
    end
  end

  defp forever, do: forever()
end
