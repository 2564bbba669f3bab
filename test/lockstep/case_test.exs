defmodule Lockstep.CaseTest do
  # Runs ExUnit inside of ExUnit, which has one queue of modules and one configuration.
  use ExUnit.Case, async: false

  import ExUnit.CaptureIO

  @variables ~w(LOCKSTEP_SEED LOCKSTEP_SEEDS LOCKSTEP_STRATEGY)

  setup do
    environment = Map.take(System.get_env(), @variables)
    configuration = Keyword.take(ExUnit.configuration(), ~w(include exclude only_test_ids colors trace formatters)a)
    Enum.each(@variables, &System.delete_env/1)

    ExUnit.configure(
      include: [],
      exclude: [],
      only_test_ids: nil,
      colors: [enabled: false],
      trace: false,
      formatters: [ExUnit.CLIFormatter]
    )

    on_exit(fn ->
      Enum.each(@variables, &System.delete_env/1)
      System.put_env(environment)
      ExUnit.configure([only_test_ids: nil] ++ configuration)
    end)
  end

  # Runs the modules defined since the last time; counts as ExUnit does, and what it printed.
  defp run_tests do
    parent = self()
    output = capture_io(fn -> send(parent, {:counts, ExUnit.run()}) end)
    assert_received {:counts, counts}
    {Map.take(counts, [:total, :failures]), output}
  end

  test "a test with the tag is run once a seed, each time after its setup" do
    defmodule OnceASeed do
      use Lockstep.Case

      setup_all do
        {:ok, all: Lockstep.Support.Tally.new(2)}
      end

      setup %{all: all} do
        Lockstep.Support.Tally.add(all, 1)
        Process.put(:runs, Process.get(:runs, 0) + 1)
        {:ok, from_setup: :fresh}
      end

      describe "grouped" do
        setup %{from_setup: :fresh}, do: %{from_describe: true}

        @tag lockstep: [seeds: 7, strategy: :random]
        test "a", %{all: all, from_describe: true, from_setup: state} do
          Lockstep.Support.Tally.add(all, 2)
          assert Process.get(:runs) == 1
          assert state == :fresh
        end
      end

      test "b: counts, as an ordinary test", %{all: all} = context do
        assert Process.get(:runs) == 1
        refute Map.has_key?(context, :from_describe)
        # The tests run in any order: all runs of the other one have been made, or none.
        assert {Lockstep.Support.Tally.get(all, 1), Lockstep.Support.Tally.get(all, 2)} in [{8, 7}, {1, 0}]
      end
    end

    assert {%{total: 2, failures: 0}, _output} = run_tests()
  end

  test "tags of the module and of a describe block turn it on, a tag of the test turns it off" do
    defmodule Tags do
      use Lockstep.Case
      @moduletag lockstep: [seed: 3]

      defp inside?, do: Lockstep.Runtime.Context.inside?()

      test "module", do: assert(inside?())

      @tag lockstep: false
      test "off", do: refute(inside?())

      @tag :lockstep
      test "defaults", do: assert(inside?())

      describe "describe" do
        @describetag lockstep: [seed: 4]
        test("in it", %{lockstep: options}, do: assert(inside?() and options == [seed: 4]))
      end
    end

    assert {%{total: 4, failures: 0}, _output} = run_tests()
  end

  test "start_supervised and on_exit belong to the run" do
    defmodule Supervised do
      use Lockstep.Case

      setup do
        ended = Lockstep.Support.Tally.new(1)
        on_exit(fn -> Lockstep.Support.Tally.add(ended, 1) end)
        {:ok, agent: start_supervised!({Agent, fn -> 0 end}), ended: ended}
      end

      @tag lockstep: [seeds: 3]
      test "under control", %{agent: agent, ended: ended} do
        on_exit(fn -> assert Lockstep.Support.Tally.get(ended, 1) == 0 and not Process.alive?(agent) end)
        Agent.update(agent, &(&1 + 1))
        assert Agent.get(agent, & &1) == 1
        assert {:error, {:duplicate_child_name, Agent}} = start_supervised({Agent, fn -> 0 end})
        assert :ok = stop_supervised(Agent)
        assert {:error, :not_found} = stop_supervised(Agent)
        refute Process.alive?(agent)
      end

      test "ordinary", %{agent: agent, ended: ended} do
        Agent.update(agent, &(&1 + 1))
        assert Agent.get(agent, & &1) == 1
        assert Lockstep.Support.Tally.get(ended, 1) == 0
      end
    end

    assert {%{total: 2, failures: 0}, _output} = run_tests()
  end

  test "what is linked to a test ends with it, before the callbacks and beside what is supervised" do
    defmodule Linked do
      use Lockstep.Case

      setup do
        {:ok, server} = Agent.start_link(fn -> 0 end)
        ref = Process.monitor(server)
        on_exit(fn -> assert_receive {:DOWN, ^ref, :process, _, :shutdown} end)
        {:ok, supervised: start_link_supervised!({Agent, fn -> 0 end})}
      end

      @tag lockstep: [seeds: 20, fail_on: :crash, check_determinism: true]
      test "with a worker that asks what is supervised", %{supervised: agent} do
        spawn_link(fn -> Enum.each(1..1000, fn _ -> Agent.update(agent, &(&1 + 1)) && Process.sleep(1) end) end)
        Process.sleep(10)
        assert Agent.get(agent, & &1) >= 0
        assert Process.get() |> Keyword.keys() |> Enum.reject(&(&1 in [:"$ancestors", :"$initial_call"])) == []
      end
    end

    assert {%{total: 1, failures: 0}, _output} = run_tests()
  end

  test "a case template and helpers of one's own start processes and leave callbacks, too" do
    defmodule Templated do
      use Lockstep.Case
      use SupervisedTemplate

      @tag lockstep: [seeds: 2]
      test "under control", %{agent: agent} do
        assert Agent.get(agent, & &1) == [seeds: 2]
        other = start(5)
        assert Agent.get(other, & &1) == 5
        finally(fn -> refute Process.alive?(agent) or Process.alive?(other) end)
      end

      @tag lockstep: false
      test "in the run of an ordinary test" do
        ended = Lockstep.Support.Tally.new(1)
        run = fn -> start(6) && finally(fn -> Lockstep.Support.Tally.add(ended, 1) end) end
        Lockstep.Runner.run(run, seeds: 1, strategy: :random)
        assert Lockstep.Support.Tally.get(ended, 1) == 1
      end

      @tag lockstep: [seeds: 1]
      test "not by other processes" do
        for fun <- [fn -> start(1) end, fn -> finally(fn -> :ok end) end, fn -> stop_supervised(Agent) end] do
          raises = fn -> assert_raise ArgumentError, ~r"can only be invoked from the test process", fun end
          raises |> Task.async() |> Task.await()
        end
      end
    end

    assert {%{total: 3, failures: 0}, _output} = run_tests()
  end

  test "a failure shows the assertion, the seed, the schedule and the line to paste, at the very end" do
    line = __ENV__.line + 5

    defmodule Failing do
      use Lockstep.Case
      @tag lockstep: [seeds: 3..9, strategy: :pos]
      test "fails" do
        send(self(), :hello)
        value = [1, 2]
        assert value == [1, 3]
      end
    end

    assert {%{total: 1, failures: 1}, output} = run_tests()
    assert output =~ "** (Lockstep.Failure) with seed 3:"
    assert output =~ "Assertion with == failed"
    assert output =~ "code:  assert value == [1, 3]"
    assert output =~ "left:  [1, 2]"
    assert output =~ "right: [1, 3]"
    assert output =~ "test/lockstep/case_test.exs:#{line + 3}: (test)"
    assert output =~ "seed 3, run 1 of 7, strategy :pos"
    assert output =~ ~r/LOCKSTEP_SEED=3 LOCKSTEP_STRATEGY=pos mix test test\/lockstep\/case_test.exs:#{line}\n\n/
    refute output =~ "__lockstep__"
    refute output =~ "overridable"
  end

  test "a failing setup fails the run, and its trace ends in the setup" do
    defmodule FailingSetup do
      use Lockstep.Case
      setup do: raise("no setup")

      @tag lockstep: [seed: 1]
      test "never gets there", do: flunk("it did")
    end

    assert {%{total: 1, failures: 1}, output} = run_tests()
    assert output =~ "** (RuntimeError) no setup"
    refute output =~ "__ex_unit__/2"
    refute output =~ "it did"
  end

  test "the environment wins over the tag" do
    System.put_env("LOCKSTEP_SEED", "4711")

    defmodule Environment do
      use Lockstep.Case
      @tag lockstep: [seeds: 3]
      test "fails", do: flunk("always")
    end

    assert {%{failures: 1}, output} = run_tests()
    assert output =~ "with seed 4711:"
    assert output =~ "run 1 of 1"
  end

  test "bad options are an error that names the test" do
    defmodule BadOptions do
      use Lockstep.Case
      @tag lockstep: [seads: 3]
      test "unknown option", do: flunk("not reached")

      @tag lockstep: 500
      test "no list", do: flunk("not reached")
    end

    assert {%{total: 2, failures: 2}, output} = run_tests()

    assert output =~
             "unknown option :seads (from the lockstep: tag of \"test unknown option\" in Lockstep.CaseTest.BadOptions): " <>
               "did you mean :seeds?"

    assert output =~ "invalid options 500 (from the lockstep: tag of \"test no list\""
    refute output =~ "not reached"
  end

  test "a tag may ask for faults" do
    defmodule Faulty do
      use Lockstep.Case
      alias Lockstep.Cluster

      @tag lockstep: [seeds: 1..200, faults: [crash: [restart: false]]]
      test "found" do
        nodes = Cluster.start_nodes([:a, :b])
        Process.sleep(30_000)
        assert Cluster.list_up() == nodes
      end

      @tag lockstep: [seeds: 1..20, faults: [crash: [restart: false]]]
      test "settled" do
        nodes = Cluster.start_nodes([:a, :b])
        Process.sleep(30_000)
        Cluster.settle()
        assert Cluster.list_up() == nodes
      end

      @tag lockstep: [faults: [fire: true]]
      test "unknown", do: flunk("not reached")
    end

    assert {%{total: 3, failures: 2}, output} = run_tests()
    assert output =~ "assert Cluster.list_up() == nodes"
    assert output =~ ~r/== crash node :[ab] =/
    assert output =~ "no fault :fire; there are :partition, :crash"
    refute output =~ "not reached"
  end

  test "a test that never does what it is about fails" do
    defmodule Claims do
      use Lockstep.Case
      @tag lockstep: [seeds: 5]
      test "reached", do: Lockstep.sometimes("drew ten", :rand.uniform(3) == 10)

      @tag lockstep: [seeds: 5, sometimes: [:elsewhere]]
      test "declared", do: :ok

      @tag lockstep: [seeds: 50, sometimes: [:low]]
      test "met", do: Lockstep.sometimes(:low, :rand.uniform(3) == 1)
    end

    assert {%{total: 3, failures: 2}, output} = run_tests()
    assert output =~ "** (Lockstep.SometimesError) in none of 5 runs was this so"
    assert output =~ ~r/"drew ten" at test\/lockstep\/case_test.exs:\d+: looked at in 5 runs/
    assert output =~ ":elsewhere: no run has come to a Lockstep.sometimes of that name"
    refute output =~ ":low"
  end

  test "ordinary tests fail as they always do" do
    defmodule Ordinary do
      use Lockstep.Case
      test "fails", do: assert(1 == 2)
    end

    assert {%{failures: 1}, output} = run_tests()
    assert output =~ "Assertion with == failed"
    refute output =~ "Lockstep.Failure"
    refute output =~ "LOCKSTEP_SEED"
  end
end
