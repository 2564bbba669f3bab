defmodule Lockstep.TasksTest do
  # A project that depends on Lockstep, and the tasks run in it as its user runs them. One project for all.
  use ExUnit.Case, async: false

  @moduletag timeout: 600_000

  @project """
  defmodule Seats.MixProject do
    use Mix.Project

    def project do
      [
        app: :seats,
        version: "0.1.0",
        # Only to save time: with the examples it shares a build of Lockstep.
        build_path: BUILD,
        build_per_environment: false,
        deps: [{:lockstep, path: LOCKSTEP, only: [:dev, :test], runtime: false}]
      ]
    end

    def application, do: []
  end
  """

  @seats """
  defmodule Seats do
    use Agent

    def start_link(count), do: Agent.start_link(fn -> count end, name: __MODULE__)
    def left, do: Agent.get(__MODULE__, & &1)

    def sell do
      if left() > 0 do
        Agent.update(__MODULE__, &(&1 - 1))
      end
    end
  end
  """

  @test_file """
  defmodule SeatsTest do
    use Lockstep.Case, async: true

    @tag lockstep: [seeds: 1..500, strategy: :random, shrink: false]
    test "the last seat is sold once" do
      start_supervised!({Seats, 1})
      1..2 |> Enum.map(fn _clerk -> Task.async(fn -> Seats.sell() end) end) |> Task.await_many()
      assert Seats.left() == 0
    end

    @tag lockstep: [seeds: 1..2]
    test "another" do
      send(self(), :hello)
      assert_receive :hello
    end
  end
  """

  setup_all do
    root = File.cwd!()
    directory = Path.join([root, "tmp", "Lockstep.TasksTest", "seats"])
    File.rm_rf!(directory)
    files = Path.join(directory, "failures")

    project =
      @project
      |> String.replace("BUILD", inspect(Path.join(root, "_build")))
      |> String.replace("LOCKSTEP", inspect(root))

    write(directory, "mix.exs", project)
    write(directory, "lib/seats.ex", @seats)
    write(directory, "test/test_helper.exs", "Lockstep.start()\nExUnit.start()\n")
    write(directory, "test/seats_test.exs", @test_file)
    context = %{directory: directory, files: files}
    {output, 2} = mix(context, ["test"], [{"MIX_ENV", "test"}])
    assert output =~ "(Lockstep.Failure) with seed"
    [name] = File.ls!(files)
    Map.merge(context, %{failure: "failures/" <> name, output: output})
  end

  setup %{directory: directory} do
    write(directory, "lib/seats.ex", @seats)
    write(directory, "test/seats_test.exs", @test_file)
  end

  defp write(directory, file, text) do
    path = Path.join(directory, file)
    File.mkdir_p!(Path.dirname(path))
    File.write!(path, text)
    # Mix looks at seconds.
    File.touch!(path, System.os_time(:second) + :rand.uniform(1_000_000) - 2_000_000)
  end

  # As from a shell: in the development environment, unless the variable says something else.
  defp mix(context, arguments, env \\ []) do
    clean =
      for name <- ~w(MIX_ENV LOCKSTEP_SEED LOCKSTEP_SEEDS LOCKSTEP_STRATEGY LOCKSTEP_REPLAY LOCKSTEP_SHRINK),
          do: {name, nil}

    env = clean ++ [{"LOCKSTEP_FAILURES", "failures"} | env]
    System.cmd("mix", arguments, cd: context.directory, env: env, stderr_to_stdout: true)
  end

  defp mended do
    check_then_act = "if left() > 0 do\n      Agent.update(__MODULE__, &(&1 - 1))\n    end"
    String.replace(@seats, check_then_act, "Agent.update(__MODULE__, &max(&1 - 1, 0))")
  end

  describe "mix lockstep.replay" do
    test "runs a stored failure again, in the environment of the tests", context do
      assert {output, 2} = mix(context, ["lockstep.replay", context.failure])
      assert output =~ "MIX_ENV=test LOCKSTEP_REPLAY=#{context.failure} mix test test/seats_test.exs:5"
      assert output =~ ~r/the replay took the recorded path, \d+ steps, and the failure still occurs/
      assert output =~ "code:  assert Seats.left() == 0"
      refute output =~ "another"
    end

    test "of changed code names the place where it leaves the recorded path", context do
      changed = String.replace(@seats, "  def sell do\n", "  def sell do\n    send(self(), :selling)\n")
      write(context.directory, "lib/seats.ex", changed)
      assert {output, 2} = mix(context, ["lockstep.replay", context.failure])
      assert output =~ ~r/the replay left the recorded path at step \d+:/
      assert output =~ ~r/recorded:  .*whereis Seats.*\(lib\/seats.ex:8\)/
      assert output =~ ~r/this run:  .*send :selling.*\(lib\/seats.ex:8\)/
      assert output =~ ~r/the\s+failure\s+still\s+occurs/
    end

    test "of mended code says that the failure is gone, for a test renamed and moved within its file, too", context do
      write(context.directory, "lib/seats.ex", mended())
      assert {output, 0} = mix(context, ["lockstep.replay", context.failure])
      assert output =~ ~r/recorded:  .*call {:get, .*\(lib\/seats.ex:\d+\)/
      assert output =~ ~r/this run:  .*call {:update, .*\((started at )?(test|lib)\/seats\w*.exs?:\d+\)/
      assert output =~ ~r/the\s+failure\s+\(Assertion\s+with\s+==\s+failed\)\s+does\s+not\s+occur\s+any\s+more/

      write(context.directory, "test/seats_test.exs", String.replace(@test_file, "is sold once", "is sold to one"))
      assert {output, 0} = mix(context, ["lockstep.replay", context.failure])
      assert output =~ ~s(what was "test the last seat is sold once" is now "test the last seat is sold to one")
      assert output =~ "does"
    end

    # Its functions have other names and numbers then, which are in the messages of its tasks.
    test "of a test that was only renamed takes the recorded path", context do
      write(context.directory, "test/seats_test.exs", String.replace(@test_file, "is sold once", "is sold to one"))
      assert {output, 2} = mix(context, ["lockstep.replay", context.failure])
      assert output =~ ~s(is now "test the last seat is sold to one")
      assert output =~ ~r/the replay took the recorded path, \d+ steps, and the failure still occurs/
    end

    test "runs one seed of a test", context do
      [_, seed] = Regex.run(~r/LOCKSTEP_SEED=(\d+)/, context.output)
      assert {output, 2} = mix(context, ["lockstep.replay", "--seed", seed, "test/seats_test.exs:5"])
      assert output =~ "MIX_ENV=test LOCKSTEP_SEED=#{seed} mix test test/seats_test.exs:5"
      assert output =~ "with seed #{seed}"
    end

    test "does not disturb other tests: the variable is an error for them", context do
      assert {output, 2} = mix(context, ["test"], [{"MIX_ENV", "test"}, {"LOCKSTEP_REPLAY", context.failure}])
      assert output =~ "still occurs"

      assert output =~
               "holds a failure of test the last seat is sold once (test/seats_test.exs:5), and this is test another"
    end
  end

  describe "mix lockstep.shrink" do
    test "stores a smaller run that fails in the same way", context do
      write(context.directory, "long.failure", File.read!(Path.join(context.directory, context.failure)))
      assert {output, 0} = mix(context, ["lockstep.shrink", "long.failure"])
      assert output =~ "MIX_ENV=test LOCKSTEP_SHRINK=long.failure mix test --timeout"
      assert [_, before, later] = Regex.run(~r/shrunk\s+from[^;]* (\d+)\s+switch[^;]* (\d+)\s+switch/, output)
      assert String.to_integer(later) < String.to_integer(before)
      assert {output, 2} = mix(context, ["lockstep.replay", "long.failure"])
      assert output =~ ~r/the replay took the recorded path, \d+ steps, and the failure still occurs/
      assert {output, 0} = mix(context, ["lockstep.trace", "long.failure"])
      assert output =~ "what decides: step"
    end

    test "leaves the file as it is when the failure is gone", context do
      write(context.directory, "lib/seats.ex", mended())
      before = File.read!(Path.join(context.directory, context.failure))
      assert {output, 2} = mix(context, ["lockstep.shrink", context.failure])
      assert output =~ ~r/cannot be shrunk: the replay left the recorded path at step \d+/
      assert File.read!(Path.join(context.directory, context.failure)) == before
    end
  end

  test "mix lockstep.trace shows the report, all events, or data", context do
    assert {output, 0} = mix(context, ["lockstep.trace", context.failure])
    assert output =~ "Assertion with == failed"
    assert output =~ "mix lockstep.trace --full #{context.failure}"
    assert {output, 0} = mix(context, ["lockstep.trace", context.failure, "--full"])
    assert output =~ ~r/^\s*1  0 ms  main/m
    assert output =~ ~r/send .* to Seats  \(lib\/seats.ex:\d+\)$/m
    assert {output, 0} = mix(context, ["lockstep.trace", "--json", context.failure])
    assert output =~ ~r/^\{"version":1,"seed":\d+,.*"type":"ExUnit.AssertionError"/
  end

  test "mix lockstep.failures lists and clears", context do
    copy = Path.join(context.directory, "copies")
    File.mkdir_p!(copy)
    File.cp!(Path.join(context.directory, context.failure), Path.join(copy, "a.failure"))
    File.write!(Path.join(copy, "b.failure"), "damaged")
    File.touch!(Path.join(copy, "a.failure"), System.os_time(:second) - 3 * 24 * 3600)
    env = [{"LOCKSTEP_FAILURES", "copies"}]
    assert {output, 0} = mix(context, ["lockstep.failures"], env)
    assert [first, second] = output |> String.split("\n", trim: true) |> Enum.take(-2)
    assert first =~ ~r/^copies\/b.failure is not a failure stored by Lockstep  .* ago$/

    assert second =~
             ~r/^copies\/a.failure  3 days ago  seed \d+  test the last seat is sold once \(test\/seats_test.exs:5\): Assertion with == failed$/

    assert {output, 0} = mix(context, ["lockstep.failures", "--clear"], env)
    assert output =~ "2 failures removed from copies"
    assert {output, 0} = mix(context, ["lockstep.failures"], env)
    assert output =~ "no failures in copies"
  end

  test "what is wrong is said in one line, with exit status 1 and without a stack trace", context do
    bytes = File.read!(Path.join(context.directory, context.failure))
    write(context.directory, "cut.failure", binary_part(bytes, 0, div(byte_size(bytes), 2)))
    newer = :erlang.term_to_binary(%{:erlang.binary_to_term(bytes) | "version" => 2, "lockstep" => "7.0.0"})
    write(context.directory, "newer.failure", newer)
    foreign = %{:erlang.binary_to_term(bytes) | "app" => "theatre"}
    write(context.directory, "foreign.failure", :erlang.term_to_binary(foreign))

    for {arguments, text} <- [
          {["lockstep.replay", "no.failure"], "no.failure: no such file or directory"},
          {["lockstep.replay", "cut.failure"], "cut.failure is damaged or cut short"},
          {["lockstep.replay", "foreign.failure"],
           "that is a failure of the application theatre; run this in its directory"},
          {["lockstep.trace", "newer.failure"],
           "newer.failure was written by Lockstep 7.0.0 in version 2 of the format, and this Lockstep reads version 1: update it"}
        ] do
      assert {output, 1} = mix(context, arguments)
      assert [line] = output |> String.split("\n", trim: true) |> Enum.take(-1)
      assert line =~ text
      refute output =~ ".ex:"
    end
  end

  describe "arguments" do
    setup do
      shell = Mix.shell()
      Mix.shell(Mix.Shell.Process)
      on_exit(fn -> Mix.shell(shell) end)
    end

    test "each task says what is wrong with them, and has help" do
      for {task, arguments, text} <- [
            {Mix.Tasks.Lockstep.Replay, [], "there is nothing to replay"},
            {Mix.Tasks.Lockstep.Replay, ["a", "b"], "one file, or one test, at a time"},
            {Mix.Tasks.Lockstep.Replay, ["--seed", "x", "test/seats_test.exs:5"], "--seed takes a number"},
            {Mix.Tasks.Lockstep.Replay, ["--seed", "-1", "test/seats_test.exs:5"], "--seed takes a number"},
            {Mix.Tasks.Lockstep.Replay, ["--strategy", "fifo", "a"], "--strategy needs a --seed"},
            {Mix.Tasks.Lockstep.Replay, ["--seed", "1", "test/no_test.exs:5"], "test/no_test.exs does not exist"},
            {Mix.Tasks.Lockstep.Replay, ["--sed", "1"], "--sed is no option"},
            {Mix.Tasks.Lockstep.Shrink, [], "there is nothing to shrink"},
            {Mix.Tasks.Lockstep.Shrink, ["a", "b"], "one file at a time"},
            {Mix.Tasks.Lockstep.Shrink, ["mix.exs"], "mix.exs is not a failure stored by Lockstep"},
            {Mix.Tasks.Lockstep.Trace, [], "there is nothing to show"},
            {Mix.Tasks.Lockstep.Trace, ["a", "b"], "one file at a time"},
            {Mix.Tasks.Lockstep.Trace, ["--full", "--json", "a"], "--full and --json exclude each other"},
            {Mix.Tasks.Lockstep.Trace, ["mix.exs"], "mix.exs is not a failure stored by Lockstep"},
            {Mix.Tasks.Lockstep.Trace, ["lib"], "lib is a directory"},
            {Mix.Tasks.Lockstep.Failures, ["a"], "it takes no arguments"},
            {Mix.Tasks.Lockstep.Failures, ["--clear=x"], "--clear does not take \"x\""}
          ] do
        error = assert_raise Mix.Error, fn -> task.run(arguments) end
        assert error.message =~ text
        refute error.message =~ "\n"
      end

      for task <- ~w(replay shrink trace failures) do
        help = ExUnit.CaptureIO.capture_io(fn -> Mix.Task.rerun("lockstep.#{task}", ["--help"]) end)
        assert help =~ "mix lockstep.#{task}"
        assert help =~ "Examples"
        Mix.Task.reenable("help")
      end
    end

    test "a trace that the option has written is shown, too" do
      Mix.Tasks.Lockstep.Trace.run(["native/lockstep_core/tests/golden.trace"])
      assert_received {:mix_shell, :info, ["1  0 ms  main  start"]}
      assert_received {:mix_shell, :info, [line]}
      assert line =~ "(lib/a.ex:3)"
      Mix.Tasks.Lockstep.Trace.run(["--json", "native/lockstep_core/tests/golden.trace"])

      lines =
        for _ <- 1..10,
            do:
              (receive do
                 {:mix_shell, :info, [line]} -> line
               after
                 0 -> ""
               end)

      assert Enum.any?(lines, &(&1 =~ ~r/^\{.*"events":\[\{/))
    end
  end
end
