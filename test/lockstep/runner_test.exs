defmodule Lockstep.RunnerTest do
  # The environment is changed, and nothing else may run meanwhile that reads it.
  use Lockstep.Case, async: false

  alias Lockstep.Support.Tally

  alias Lockstep.{Failure, NondeterminismError, OptionError, Runner, Summary}

  @variables ~w(LOCKSTEP_SEED LOCKSTEP_SEEDS LOCKSTEP_STRATEGY)

  # These tests are about what the options do, whatever the environment of `mix test` says.
  setup do
    saved = System.get_env() |> Map.take(@variables)
    Enum.each(@variables, &System.delete_env/1)

    on_exit(fn ->
      Enum.each(@variables, &System.delete_env/1)
      System.put_env(saved)
    end)
  end

  # Fails for some seeds: the program's randomness comes from the seed.
  defp unlucky do
    send(self(), {:draw, :rand.uniform(10)})

    receive do
      {:draw, number} -> assert number != 4
    end
  end

  defp named, do: :ok

  describe "run/2" do
    test "runs a function once a seed and sums up" do
      assert %Summary{runs: 20, total: 20, strategy: :portfolio, seeds: 1..20} =
               summary = Runner.run(fn -> send(self(), :hello) end, seeds: 20)

      assert summary.steps >= 0
      assert summary.distinct in 1..20
    end

    test "raises the first failure" do
      failure = assert_raise Failure, fn -> Runner.run(fn -> unlucky() end, seeds: 1..200) end
      assert failure.run == failure.seed
      assert failure.summary.runs == failure.run
      assert {:crash, :error, %ExUnit.AssertionError{}, [_ | _]} = failure.error
      assert failure.nondeterminism == nil
    end

    test "gives the line that replays the failure" do
      failure = assert_raise Failure, fn -> Runner.run(fn -> unlucky() end, seeds: 1..200) end
      assert failure.replay =~ ~r{^LOCKSTEP_SEED=#{failure.seed} mix test test/lockstep/runner_test.exs:\d+$}

      System.put_env("LOCKSTEP_SEED", "#{failure.seed}")
      again = assert_raise Failure, fn -> Runner.run(fn -> unlucky() end, seeds: 1..200) end
      assert again.seed == failure.seed
      assert again.run == 1
      assert again.result.events == failure.result.events
    end

    test "names the strategy where the replaying line needs it" do
      failure = assert_raise Failure, fn -> Runner.run(fn -> flunk("no") end, strategy: :fifo) end
      assert failure.replay =~ "LOCKSTEP_SEED=1 LOCKSTEP_STRATEGY=fifo mix test"

      System.put_env("LOCKSTEP_STRATEGY", "random")
      failure = assert_raise Failure, fn -> Runner.run(fn -> flunk("no") end, strategy: :fifo) end
      assert failure.replay =~ "LOCKSTEP_SEED=1 LOCKSTEP_STRATEGY=random mix test"
    end

    test "has the user's error, in the message, before all else" do
      failure = assert_raise Failure, fn -> Runner.run(fn -> unlucky() end, seeds: 1..200) end
      message = failure |> Exception.message() |> String.replace(~r/\e\[[0-9;]*m/, "")
      assert message =~ ~r/\Awith seed \d+:\n\nAssertion with != failed/
      assert message =~ "test/lockstep/runner_test.exs:"
      assert String.ends_with?(message, failure.replay)
    end
  end

  describe "explore/2" do
    test "returns what run/2 would raise" do
      assert {:failed, %Failure{seed: 5, run: 1}} = Runner.explore(fn -> flunk("no") end, seeds: 5..9)
      assert {:ok, %Summary{runs: 1}} = Runner.explore(fn -> :ok end, seed: 5)
    end

    test "finds a run that another run of its seed does not repeat" do
      calls = Tally.new(1)

      fun = fn ->
        Tally.add(calls, 1)
        for _ <- 1..Tally.get(calls, 1), do: send(self(), :again)
        flunk("no")
      end

      assert {:failed, failure} = Runner.explore(fun, seeds: 3, strategy: :random)
      assert %NondeterminismError{seed: 1} = failure.nondeterminism
      assert Exception.message(failure) =~ "the run is not deterministic"
    end

    test "check_determinism: finds it in runs that pass, too" do
      calls = Tally.new(1)

      fun = fn ->
        Tally.add(calls, 1)
        for _ <- 1..Tally.get(calls, 1), do: send(self(), :again)
      end

      assert {:failed, %Failure{error: %NondeterminismError{seed: 1}}} =
               Runner.explore(fun, seeds: 3, strategy: :random, check_determinism: true)

      assert {:ok, _summary} = Runner.explore(fn -> send(self(), :hello) end, seeds: 3, check_determinism: true)
    end

    @tag :tmp_dir
    test "trace: writes a file for one seed, and one a seed into a directory for several", %{tmp_dir: dir} do
      file = Path.join(dir, "one.trace")
      fun = fn -> send(self(), :hello) end
      assert {:ok, _} = Runner.explore(fun, seed: 1, trace: file)
      assert File.regular?(file)

      several = Path.join(dir, "several")
      assert {:ok, _} = Runner.explore(fun, seeds: 2, trace: several)
      assert several |> File.ls!() |> Enum.sort() == ["seed-1.trace", "seed-2.trace"]
      assert File.read!(Path.join(several, "seed-1.trace")) == File.read!(file)
    end
  end

  describe "bad input" do
    test "an unknown option" do
      assert_raise OptionError, ~r/unknown option :seedz: did you mean :seeds?/, fn ->
        Runner.run(fn -> :ok end, seedz: 4)
      end
    end

    test "a seed that is no integer" do
      assert_raise OptionError, ~r/a seed is an integer/, fn -> Runner.run(fn -> :ok end, seed: "1") end
    end

    test "an empty range of seeds" do
      assert_raise OptionError, ~r/the range is empty/, fn -> Runner.run(fn -> :ok end, seeds: 1..0//1) end
    end

    test "a variable of the environment that is wrong" do
      System.put_env("LOCKSTEP_SEED", "nothing")
      assert_raise OptionError, ~r/from LOCKSTEP_SEED/, fn -> Runner.run(fn -> :ok end) end
    end

    test "a function of the wrong arity, or none" do
      assert_raise ArgumentError, ~r/takes 2; wrap it: fn -> fun.\(arg1, arg2\) end/, fn ->
        Runner.run(fn a, b -> {a, b} end)
      end

      assert_raise ArgumentError, ~r/a run needs a function without arguments, got :fun/, fn -> Runner.run(:fun) end
    end

    test "a function of a module that is not instrumented" do
      [{module, _code}] = Code.compile_string("defmodule Plain#{System.unique_integer([:positive])} do
        def fun, do: fn -> :ok end
      end")

      assert_raise ArgumentError, ~r/#{inspect(module)}, which is not instrumented.*add `use Lockstep.Case`/, fn ->
        Runner.run(module.fun())
      end
    end

    test "a function typed in" do
      {fun, _bindings} = Code.eval_string("fn -> :ok end")
      assert_raise ArgumentError, ~r/typed into iex or stands outside of any module/, fn -> Runner.run(fun) end
    end

    test "a module without debug info, even if its error is rescued" do
      {:ok, :lockstep_without_debug_info, code} =
        :compile.forms([{:attribute, 1, :module, :lockstep_without_debug_info}], [:binary])

      {:module, module} = :code.load_binary(:lockstep_without_debug_info, ~c"nofile", code)

      fun = fn ->
        try do
          module.fun()
        rescue
          _ -> :ok
        end
      end

      assert {:failed, %Failure{error: %Lockstep.MissingDebugInfoError{module: ^module}}} =
               Runner.explore(fun, seed: 1)
    end

    test "a run inside a run" do
      assert {:failed, %Failure{error: {:crash, :error, error, _trace}}} =
               Runner.explore(fn -> Runner.run(fn -> named() end) end, seed: 1)

      assert %ArgumentError{message: "a run inside a run: " <> _} = error
    end
  end
end
