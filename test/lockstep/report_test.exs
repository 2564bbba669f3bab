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
    kind = text |> String.split() |> hd() |> String.trim(":") |> String.to_atom()
    %{step: step, time: time, process: process, node: :nonode@nohost, kind: kind, text: text}
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
            Map.merge(event(1, 1, "send :hi to #PID<0.1.7168>"), %{object: 1, detail: 0, node: :a}),
            event(2, nil, "partition [:a] from [:b]", 1500),
            Map.merge(event(3, 0, "deliver: send :hi to #PID<0.1.7168>", 1500), %{object: 1, detail: 1}),
            event(4, 0, "receive :hi", 1500)
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
    test "has the error, the story, the facts and the line to paste, in this order" do
      assert report(failure()) == """
             with seed 4711:

             ** (RuntimeError) boom

                      |             | a
             step  ms | main        | Replica
             ---------+-------------+-----------------
                1   0 |             | send :hi to main
                2 1.5 | == partition [:a] from [:b] ====================
                4     | receive :hi |
                      | fails here  |

             seed 4711, run 17 of 500, strategy :random, 3 steps, 12 ms of virtual time

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

             """
    end

    # A message goes round from process to process, and comes back to the main one.
    defp ring(size) do
      processes = for id <- 0..(size - 1), do: %{id: id, node: :nonode@nohost, label: "worker#{id}"}

      events =
        for id <- 0..(size - 1), {kind, at} <- [send: id, receive: rem(id + 1, size)] do
          step = 2 * id + if(kind == :send, do: 1, else: 2)
          text = if kind == :send, do: "send {:hop, #{id}} to worker#{at + 1}", else: "receive {:hop, #{id}}"
          Map.merge(event(step, at, text), %{kind: kind, object: id, detail: rem(id + 1, size)})
        end

      %{processes: processes, events: events}
    end

    test "gives every process a column where there is room, and is a list where not" do
      failure = failure(%{result: ring(6)})
      assert report(failure, 200) =~ ~r/worker0 +\| worker1 +\| worker2 +\| worker3 +\| worker4 +\| worker5\n/
      assert report(failure, 75) =~ "\nstep | process\n"
      assert report(failure, 75) =~ "\n   4 | worker2 | receive {:hop, 1}\n"
    end

    test "starts from the process that failed the run" do
      processes = for id <- 0..9, do: %{id: id, node: :nonode@nohost, label: "worker#{id}"}

      events = [
        event(1, 9, "exit :boom") | for(step <- 2..30, do: event(step, rem(step, 9), "send :message to somebody"))
      ]

      error = %Lockstep.ProcessFailure{process: List.last(processes), kind: :crash, reason: :boom}
      text = report(failure(%{error: error, result: %{processes: processes, events: events}}), 80)
      assert text =~ "worker9 crashed (fail_on: :crash): :boom"
      assert text =~ "step | worker9\n-----+-----------\n   1 | exit :boom\n\n1 event of 30: the others did not lead"
    end

    test "leaves out the beginning of a long story" do
      events = for step <- 1..1000, do: event(step, 0, "step number #{step}")
      text = report(failure(%{result: %{events: events}}))
      refute text =~ "step number 968\n"
      assert text =~ "step number 969\n"
      assert text =~ "step number 1000\n"

      assert text =~
               "32 events of 1,000: those nearest to the failure or with its values; 968 more led to it; the trace:"
    end

    test "fits into any terminal" do
      %{events: events, processes: processes} = ring(5)
      long = "send {:a, %{long: \"message\", with: [:many, :parts]}} to b:Replica"
      events = events ++ for step <- 100..160, do: event(step, 0, long)
      error = {:crash, :error, %RuntimeError{message: "boom"}, []}
      failure = failure(%{error: error, result: %{events: events, processes: processes}})

      for width <- [60, 75, 95, 115, 155], line <- failure |> report(width) |> String.split("\n") do
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
