defmodule Lockstep.Runner.LocationTest do
  use ExUnit.Case, async: true

  alias Lockstep.Runner.Location

  @test_frame {MyTest, :"test finds it", 1, [file: ~c"test/my_test.exs", line: 12]}
  @helper_frame {MyTest, :helper, 2, [file: ~c"test/my_test.exs", line: 3]}
  @script_frame {Script, :main, 0, [file: ~c"examples/script.exs", line: 7]}

  describe "from_stacktrace/1" do
    test "prefers the test to the helper that is nearer" do
      trace = [{Lockstep.Runner, :run, 2, []}, @helper_frame, @test_frame, {ExUnit.Runner, :exec_test, 1, []}]

      assert Location.from_stacktrace(trace) ==
               %{file: "test/my_test.exs", line: 12, module: MyTest, test: :"test finds it"}
    end

    test "takes the nearest code of the user's where there is no test" do
      trace = [{:erl_eval, :do_apply, 7, [file: ~c"erl_eval.erl", line: 1]}, @script_frame]
      assert %{file: "examples/script.exs", line: 7, test: nil} = Location.from_stacktrace(trace)
      assert Location.from_stacktrace([hd(trace)]) == nil
      assert Location.from_stacktrace([]) == nil
    end
  end

  describe "replay_line/3" do
    test "is what to paste into a shell, for a test" do
      location = Location.from_stacktrace([@test_frame])
      assert Location.replay_line(location, 4711, nil) == "LOCKSTEP_SEED=4711 mix test test/my_test.exs:12"

      assert Location.replay_line(location, 4711, :fifo) ==
               "LOCKSTEP_SEED=4711 LOCKSTEP_STRATEGY=fifo mix test test/my_test.exs:12"
    end

    test "has the call to make, elsewhere" do
      assert Location.replay_line(Location.from_stacktrace([@script_frame]), 4711, nil) ==
               "LOCKSTEP_SEED=4711 for the call at examples/script.exs:7, or Lockstep.Runner.run(fun, seed: 4711)"

      assert Location.replay_line(nil, 4711, :fifo) ==
               "LOCKSTEP_SEED=4711 LOCKSTEP_STRATEGY=fifo in the environment, " <>
                 "or Lockstep.Runner.run(fun, seed: 4711, strategy: :fifo)"
    end
  end
end
