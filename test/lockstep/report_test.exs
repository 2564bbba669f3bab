defmodule Lockstep.ReportTest do
  use ExUnit.Case, async: true

  alias Lockstep.{DeadlockError, Failure, NondeterminismError, Report, Summary}

  doctest Lockstep.Report.Time
  doctest Lockstep.Report.Names
  doctest Lockstep.Report.Layout

  @processes [
    %{id: 0, node: :nonode@nohost, label: "main"},
    %{id: 1, node: :a, label: "Replica"},
    %{id: 2, node: :b, label: "Replica"}
  ]

  defp event(step, process, text, time \\ 0) do
    %{step: step, time: time, process: process, node: :nonode@nohost, kind: :send, text: text}
  end

  defp failure(changes \\ %{}) do
    {result, changes} = Map.pop(changes, :result, %{})

    result =
      Map.merge(
        %{
          steps: 3,
          virtual_ms: 12,
          escapes: [],
          output: [],
          processes: @processes,
          events: [
            event(1, 0, "send :hi to a:Replica"),
            event(2, nil, "partition [:a] from [:b]", 1500),
            event(3, 1, "receive :hi", 1500)
          ]
        },
        result
      )

    Map.merge(
      %Failure{
        seed: 4711,
        run: 17,
        strategy: :random,
        error: {:crash, :error, %RuntimeError{message: "boom"}, []},
        result: result,
        summary: %Summary{runs: 17, total: 500},
        replay: "LOCKSTEP_SEED=4711 mix test test/cluster_test.exs:12"
      },
      changes
    )
  end

  defp plain(text), do: String.replace(text, ~r/\e\[[0-9;]*m/, "")
  defp report(failure, width \\ 100), do: failure |> Report.format(width) |> plain()

  describe "format/2" do
    test "has the error, the facts, the schedule and the line to paste, in this order" do
      assert report(failure()) == """
             with seed 4711:

             ** (RuntimeError) boom

             seed 4711, run 17 of 500, strategy :random, 3 steps, 12 ms of virtual time

             step  ms | main                  | a:Replica
             ---------+-----------------------+------------
                1   0 | send :hi to a:Replica |
                2 1.5 | == partition [:a] from [:b] ====================
                3     |                       | receive :hi

             replay with

               LOCKSTEP_SEED=4711 mix test test/cluster_test.exs:12\
             """
    end

    test "shows an assertion as ExUnit does" do
      {error, trace} =
        try do
          assert Enum.map([1, 2], &(&1 + 1)) == [2, 4]
        rescue
          error -> {error, __STACKTRACE__}
        end

      text = report(failure(%{error: {:crash, :error, error, trace}}))
      assert text =~ "Assertion with == failed\ncode:  assert Enum.map([1, 2], &(&1 + 1)) == [2, 4]\nleft:  [2, 3]"
      assert text =~ "\nstacktrace:\n  test/lockstep/report_test.exs:"
      refute text =~ "ExUnit.Runner"
    end

    test "shows exits and throws" do
      assert report(failure(%{error: {:crash, :exit, :killed, []}})) =~ "** (exit) killed"
      assert report(failure(%{error: {:crash, :throw, :ball, []}})) =~ "** (throw) :ball"
    end

    test "leaves out frames of Lockstep and of what lies below the test" do
      trace = [
        {Lockstep.Runtime.Process, :exit, 2, [file: ~c"lib/lockstep/runtime/process.ex", line: 1]},
        {Lockstep.RunnerTest, :helper, 0, [file: ~c"test/my_test.exs", line: 5]},
        {Lockstep.RunnerTest, :"test a (overridable 1)", 1, [file: ~c"test/my_test.exs", line: 9]},
        {Lockstep.RunnerTest, :__lockstep__, 1, [file: ~c"test/my_test.exs", line: 1]},
        {Lockstep.Simulation, :main, 1, [file: ~c"lib/lockstep/simulation.ex", line: 1]}
      ]

      _existing = :"test a"
      text = report(failure(%{error: {:crash, :error, %RuntimeError{message: "boom"}, trace}}))

      assert text =~ """
             stacktrace:
               test/my_test.exs:5: Lockstep.RunnerTest.helper/0
               test/my_test.exs:9: Lockstep.RunnerTest."test a"/1

             seed\
             """
    end

    test "gives every process a column where there is room, and folds the others where not" do
      processes = for id <- 0..9, do: %{id: id, node: :nonode@nohost, label: "worker#{id}"}

      events =
        for step <- 1..30, do: event(step, rem(step, 10), "send {:some, :message} to worker#{rem(step + 1, 10)}")

      failure = failure(%{result: %{processes: processes, events: events}})

      wide = report(failure, 200)
      assert wide =~ ~r/main|worker0 .*worker9/
      refute wide =~ "others"

      narrow = report(failure, 80)
      assert narrow =~ ~r/worker0 +\| worker1 +\| others/
      assert narrow =~ "worker5: send"
      for line <- String.split(narrow, "\n"), do: assert(String.length(line) <= 80)
    end

    test "keeps the column of the process that failed the run" do
      processes = for id <- 0..9, do: %{id: id, node: :nonode@nohost, label: "worker#{id}"}

      events = [
        event(1, 9, "exit :boom") | for(step <- 2..30, do: event(step, rem(step, 9), "send :message to somebody"))
      ]

      error = %Lockstep.ProcessFailure{process: List.last(processes), kind: :crash, reason: :boom}
      text = report(failure(%{error: error, result: %{processes: processes, events: events}}), 80)
      assert text =~ ~r/worker0 +\| worker9 +\| others/
      assert text =~ "worker9 crashed (fail_on: :crash): :boom"
    end

    test "leaves out the middle of a long schedule" do
      events = for step <- 1..1000, do: event(step, 0, "step number #{step}")
      text = report(failure(%{result: %{events: events}}))
      assert text =~ "step number 6\n"
      refute text =~ "step number 7\n"
      assert text =~ ": 954 rows left out"
      assert text =~ ": the trace: option writes all rows to a file"
      refute text =~ "step number 960\n"
      assert text =~ "step number 961\n"
      assert text =~ "step number 1000\n"
    end

    test "fits the whole report into narrow terminals" do
      events =
        for step <- 1..60,
            do: event(step, rem(step, 3), "send {:a, %{long: \"message\", with: [:many, :parts]}} to b:Replica")

      error = {:crash, :error, %RuntimeError{message: "boom"}, []}

      for width <- [60, 75, 95, 115],
          line <- report(failure(%{error: error, result: %{events: events}}), width) |> String.split("\n") do
        assert String.length(line) <= width
      end
    end

    test "says that a run is not deterministic, and where it differed" do
      difference = %NondeterminismError{
        seed: 4711,
        step: 2,
        first: event(2, 1, "send 17 to main"),
        second: nil,
        processes: @processes
      }

      text = report(failure(%{nondeterminism: difference}))
      assert text =~ "the run is not deterministic: run again with the same seed"
      assert text =~ "two runs of seed 4711 first differ at step 2:"
      assert text =~ "first run:  a:Replica: send 17 to main (at 0 ms)"
      assert text =~ "second run: had ended"
    end

    test "works for a run without steps" do
      assert report(failure(%{result: %{events: [], steps: 0}})) =~ "(no steps)"
    end

    test "works for a run with no step that is worth a row" do
      event = %{step: 1, time: 0, process: 0, kind: :access, text: "read the clock"}
      assert report(failure(%{result: %{events: [event], steps: 1}})) =~ "(no steps)"
    end
  end

  describe "errors" do
    test "a deadlock is a table of who waits in what" do
      error = %DeadlockError{
        processes: [
          %{id: 0, node: :nonode@nohost, label: "main", waiting_in: "test/a_test.exs:9: ATest.wait/0", unread: []},
          %{
            id: 1,
            node: :a,
            label: "Replica",
            waiting_in: "gen_server.erl:867: :gen_server.loop/7",
            unread: [":x", ":y"]
          }
        ]
      }

      assert DeadlockError.message(error, 100) == """
             deadlock: no process can run, no timer is set, no message is under way, and the function has not returned

             process   | node           | waits in                               | unread messages
             ----------+----------------+----------------------------------------+----------------
             main      | :nonode@nohost | test/a_test.exs:9: ATest.wait/0        | none
             a:Replica | :a             | gen_server.erl:867: :gen_server.loop/7 | :x
                       |                |                                        | :y

             look for the message that main waits for: nobody is left to send it\
             """
    end

    test "the others say what happened and what to do" do
      process = %{id: 1, node: :a, label: "Replica"}

      for {error, expected} <- [
            {%Lockstep.StepLimitError{limit: 10}, "max_steps: 10"},
            {%Lockstep.TimeLimitError{limit: 10}, "max_virtual_time: 10 (virtual ms)"},
            {%Lockstep.WatchdogError{limit: 10, process: process}, "a:Replica ran for 10 ms of wall time"},
            {%Lockstep.EscapeError{module: :gen_tcp, function: :connect, arity: 3, location: {"lib/a.ex", 3}},
             ":gen_tcp.connect/3 has an effect outside the simulation (called at lib/a.ex:3)"},
            {%Lockstep.ProcessFailure{process: process, kind: :blocked},
             "a:Replica is left waiting for ever (fail_on"},
            {%Lockstep.ReplayError{choice: 3, step: 7, value: 5, available: 2},
             "choice 3, step 7: the log says 5, and the possibilities are 0 to 1"},
            {%Lockstep.ReplayError{choice: 3}, "it first differs at choice 3;"}
          ] do
        assert Exception.message(error) =~ expected
      end
    end
  end
end
