Code.require_file("../programs/bugs.exs", __DIR__)

defmodule Lockstep.ShrinkTest do
  use ExUnit.Case, async: false
  use Lockstep

  alias Lockstep.{DeadlockError, Failure, Runner, Shrink}
  alias Lockstep.Shrink.Signature
  alias Lockstep.Support.Outside

  @moduletag :capture_log
  @moduletag timeout: 300_000

  @programs Programs.Bugs.all()

  defp failure(name, first \\ 1, more \\ []) do
    {program, options} = @programs[name]
    options = Keyword.merge(options, [seeds: first..(first + 2_000)] ++ more)
    assert {:failed, %Failure{} = failure} = Runner.explore(program, options)
    failure
  end

  defp replay(name, failure, choices) do
    {program, options} = @programs[name]
    options = Keyword.merge(options, seed: failure.seed, strategy: {:replay, choices})
    Runner.explore(program, options)
  end

  test "every failing run becomes one that fails the same way, and is replayed by its choices" do
    ratios =
      for {name, _} <- @programs, first <- [1, 10_001] do
        %{shrunk: shrunk} = failure = failure(name, first)
        assert %Shrink{} = shrunk, "#{name} was not shrunk"
        assert Signature.of(shrunk.result) == Signature.of(failure.result)
        assert {:failed, again} = replay(name, failure, shrunk.choices)
        assert again.result.trace == shrunk.result.trace
        assert again.shrunk == nil
        assert weight(shrunk.after) <= weight(shrunk.before), "#{name} has grown"
        if shrunk.before.switches > 0, do: shrunk.after.switches / shrunk.before.switches, else: 0
      end

    assert ratios |> Enum.sort() |> Enum.at(div(length(ratios), 2)) <= 0.25
  end

  # Numbers in the order in which they weigh.
  defp weight(counts), do: [counts.faults, counts.stalls, counts.switches]

  describe "what is left" do
    test "of a lost update is one switch" do
      assert %{after: %{faults: 0, stalls: 0, switches: 1}} = failure(:lost_update).shrunk
    end

    test "of a deadlock is the deadlock of the same processes" do
      failure = failure(:dining_philosophers)
      assert %{after: %{stalls: 0, switches: switches}} = failure.shrunk
      assert switches <= 2
      {:error, %DeadlockError{processes: before}} = failure.result.outcome
      {:error, %DeadlockError{processes: left}} = failure.shrunk.result.outcome
      assert Enum.map(left, & &1.waiting_in) |> Enum.sort() == Enum.map(before, & &1.waiting_in) |> Enum.sort()
    end

    test "of a timeout is one stall that is just long enough" do
      failure = failure(:call_times_out)
      assert %{after: %{stalls: 1, switches: 0}} = failure.shrunk

      assert [60_000] =
               for(%{kind: :stall, text: "held back for " <> ms} <- failure.shrunk.result.events, do: micros(ms))
    end

    test "of faults is the one that matters" do
      assert %{before: before, after: %{faults: 1, stalls: 0, switches: 0}} = failure(:partition_fault).shrunk
      assert before.switches > 0
    end

    test "of a schedule that fails undisturbed is that one" do
      assert %{after: %{faults: 0, stalls: 0, switches: 0}, choices: choices} = failure(:last_seat).shrunk
      assert Enum.all?(choices, &(&1 == 0))
    end
  end

  defp micros(text), do: text |> Float.parse() |> elem(0) |> Kernel.*(1000) |> round()

  describe "the deciding pair" do
    test "is the two events, of which the run fails in this order alone" do
      shrunk = failure(:lost_update).shrunk
      assert {%{text: "ets.lookup" <> _} = read, %{text: "ets.insert" <> _} = written} = shrunk.pair
      assert read.step < written.step
      assert read in shrunk.result.events and written in shrunk.result.events
      assert read.process != written.process
    end

    test "passes the other way round" do
      failure = failure(:lost_update)
      assert {:ok, _summary} = replay(:lost_update, failure, failure.shrunk.passing)
    end

    test "comes with the places of both in the program" do
      %{pair: {read, written}, stacks: stacks} = failure(:lost_update).shrunk
      assert [{Programs.Bugs, :add_one, 1, [file: file, line: line]} | _] = stacks[read.step]
      assert [{Programs.Bugs, :add_one, 1, [file: ^file, line: next]} | _] = stacks[written.step]
      assert next == line + 1
      assert to_string(file) =~ "bugs.exs"
    end

    test "is a timeout and what came too late for it" do
      assert {%{kind: :timeout}, %{kind: :fire}} = failure(:late_reply).shrunk.pair
    end

    test "is two deliveries where messages overtake each other" do
      assert {%{kind: :deliver, text: first}, %{kind: :deliver, text: second}} =
               failure(:overtaken_message).shrunk.pair

      assert first =~ ":relayed" and second =~ ":first"
    end

    def always_fails do
      main = self()
      for n <- 1..2, do: spawn(fn -> send(main, n) end)
      for _ <- 1..2, do: receive(do: (n -> n))
      raise "in any order"
    end

    test "is missing where every order fails, with a reason" do
      {:failed, %{shrunk: shrunk}} = Runner.explore(&__MODULE__.always_fails/0, seed: 3)
      assert shrunk.pair == nil and shrunk.passing == nil and shrunk.stacks == %{}
      assert shrunk.no_pair =~ "undisturbed"
    end
  end

  describe "the budget" do
    test "is a number of runs" do
      for budget <- [1, 3, 10, 40] do
        Outside.listen()
        {program, _} = @programs[:overdrawn]
        counted = fn -> Outside.tell(:run) && program.() end
        options = [seeds: 1..500, strategy: :random, shrink: budget, concurrency: 1]
        {:failed, failure} = Runner.explore(counted, options)
        runs = told(0) - failure.run - 1
        # Besides, what is found is recorded, and recorded again from its choices.
        assert runs <= budget + 2
        if failure.shrunk, do: assert(failure.shrunk.replays <= budget + 2)
      end
    end

    defp told(count) do
      receive do
        {:outcome, :run} -> told(count + 1)
      after
        0 -> count
      end
    end

    test "is a number of steps for long runs" do
      {program, options} = @programs[:partition_fault]
      failure = failure(:partition_fault, 1, shrink: false)
      config = config(failure, options)
      few = Shrink.run(program, config, failure.result, steps: 10 * failure.result.steps)
      assert few.replays <= 15
      assert few.replays < Shrink.run(program, config, failure.result).replays
      assert Signature.of(few.result) == Signature.of(failure.result)
    end

    test "of nothing shrinks nothing" do
      assert failure(:lost_update, 1, shrink: false).shrunk == nil
    end
  end

  defp config(failure, options) do
    {:ok, options} = Lockstep.Options.validate(options, %{})

    options
    |> Map.take(
      ~w(strategy max_steps max_virtual_time max_stall watchdog delivery ordering fail_on await nodes faults)a
    )
    |> Map.merge(%{seed: failure.seed, record: true, escapes: :raise})
  end

  test "the same failure shrinks to the same run" do
    for name <- [:overdrawn, :call_times_out, :partition_fault] do
      [one, other] = for _ <- 1..2, do: failure(name).shrunk
      assert one.choices == other.choices
      assert one.result.trace == other.result.trace
      assert {one.pair, one.replays, one.passing} == {other.pair, other.replays, other.passing}
    end
  end

  test "a run that passes, or that cannot be repeated, is not shrunk" do
    {program, options} = @programs[:lost_update]
    failure = failure(:lost_update, 1, shrink: false)
    config = config(failure, options)
    passed = %{failure.result | outcome: :ok}
    assert Shrink.run(program, config, passed) == {:error, :passed}
    assert Shrink.run(program, config, %{failure.result | hash: 0}) == {:error, :not_repeatable}
    watchdog = %{failure.result | outcome: {:error, %Lockstep.WatchdogError{limit: 1}}}
    assert Shrink.run(program, config, watchdog) == {:error, :no_failure_of_the_run}
  end
end
