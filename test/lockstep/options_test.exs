defmodule Lockstep.OptionsTest do
  use ExUnit.Case, async: true

  alias Lockstep.{OptionError, Options}

  doctest Lockstep.Options

  defp message(opts, env \\ %{}, source \\ nil) do
    {:error, %OptionError{} = error} = Options.validate(opts, env, source)
    Exception.message(error)
  end

  defp valid(opts, env \\ %{}) do
    {:ok, options} = Options.validate(opts, env)
    options
  end

  describe "validate/3" do
    test "fills in the defaults" do
      options = valid([])
      assert options.seeds == 1..100
      assert options.strategy == :portfolio
      assert options.max_steps == 100_000
      assert options.max_virtual_time == 3_600_000
      assert options.max_stall == 100
      assert options.watchdog == 1_500
      assert options.delivery == :instant
      assert options.fail_on == []
      assert options.await == :main
      assert options.nodes == []
      assert options.trace == nil
      assert options.check_determinism == false
      assert options.concurrency == nil
    end

    test "takes seeds as a count, a range, a list or a single one" do
      assert valid(seeds: 7).seeds == 1..7
      assert valid(seeds: 10..20//5).seeds == 10..20//5
      assert valid(seeds: [4, 2]).seeds == [4, 2]
      assert valid(seed: 0).seeds == [0]
      assert valid(seed: 0xFFFF_FFFF_FFFF_FFFF).seeds == [0xFFFF_FFFF_FFFF_FFFF]
    end

    test "takes one or several of what fails a run" do
      assert valid(fail_on: :crash).fail_on == [:crash]
      assert valid(fail_on: [:blocked, :crash]).fail_on == [:blocked, :crash]
    end

    test "names the option that an unknown one was meant to be" do
      assert message(max_step: 5) == "unknown option :max_step: did you mean :max_steps?"
      assert message(determinism: true) =~ ":check_determinism"
    end

    test "lists the options when an unknown one is like none of them" do
      assert message(xyzzy: 5) =~ "unknown option :xyzzy: the options are :seed, :seeds, :strategy"
    end

    test "refuses options that are no keyword list" do
      assert message(%{seed: 1}) ==
               "invalid options %{seed: 1}: expected a keyword list, such as [seeds: 1..500]"

      assert message([:seed]) =~ "expected a keyword list"
    end

    test "refuses a seed that is no integer, or too large" do
      assert message(seed: "4711") ==
               ~s(invalid value "4711" for option :seed: a seed is an integer from 0 to 2^64 - 1, such as seed: 4711)

      assert message(seed: 1.0) =~ "a seed is an integer"
      assert message(seed: -1) =~ "a seed is an integer"
      assert message(seed: 0x1_0000_0000_0000_0000) =~ "a seed is an integer"
      assert message(seeds: [1, :two]) =~ "a seed is an integer"
      assert message(seeds: -1..5) =~ "a seed is an integer"
    end

    test "refuses seeds that are none" do
      assert message(seeds: 1..0//1) =~ "the range is empty; give at least one seed"
      assert message(seeds: []) =~ "the list is empty"
      assert message(seeds: 0) =~ "expected a positive count, a range or a list"
      assert message(seeds: 500..1//-1) =~ "a range of seeds goes up; this one holds no seed going up, write 1..500"
    end

    test "refuses a seed beside seeds" do
      assert message(seed: 1, seeds: 2) =~ "give either seed: or seeds:, not both"
    end

    test "refuses values outside of what an option allows" do
      assert message(delivery: :later) =~ "expected one of :instant, :async"
      assert message(await: nil) =~ "expected one of :main, :quiescence"
      assert message(fail_on: [:crash, :warning]) =~ "expected a list of some of :crash, :blocked"
      assert message(fail_on: "crash") =~ "expected a list of some of :crash, :blocked"

      assert message(strategy: :best) =~
               "expected :random, :fifo, :pos, :surw, :pct, :portfolio, {:pct, depth}, :exhaustive or {:replay, choices}"

      assert message(strategy: {:pct, 0}) =~ "an integer from 1 on, such as {:pct, 3}"
      assert message(strategy: {:pct, 2.0}) =~ "an integer from 1 on, such as {:pct, 3}"
      assert message(strategy: {:replay, [1, -1]}) =~ "a choice log is a list of integers"
      assert message(max_steps: 0) =~ "expected a positive integer"
      assert message(max_stall: -1) =~ "expected an integer that is 0 or more"
      assert message(trace: :file) =~ "expected the path"
      assert message(check_determinism: 1) =~ "expected true or false"
    end

    test "refuses nodes that cannot be started" do
      assert message(nodes: :a) =~ "expected a list of node names"
      assert message(nodes: ["a"]) =~ "expected a list of node names"
      assert message(nodes: [:a, :a]) =~ "each node can be named only once"
      assert message(nodes: [:nonode@nohost]) =~ "always there"
    end

    test "refuses a number of runs at a time that is none" do
      assert message(concurrency: 0) =~ "expected how many runs to make at a time, an integer from 1 to 1024"
    end

    test "refuses a file as the trace of several seeds" do
      assert message(trace: __ENV__.file, seeds: 2) =~ "2 seeds need a directory"
    end

    test "says where the options were written" do
      assert message([max_steps: 0], %{}, "the tag of a test") =~ "for option :max_steps (from the tag of a test)"
    end
  end

  describe "validate/3 with the environment" do
    test "lets a variable win" do
      assert valid([seeds: 1..500], %{"LOCKSTEP_SEED" => "4711"}).seeds == [4711]
      assert valid([seed: 1], %{"LOCKSTEP_SEEDS" => "200"}).seeds == 1..200
      assert valid([], %{"LOCKSTEP_SEEDS" => "5..7"}).seeds == 5..7
      assert valid([strategy: :random], %{"LOCKSTEP_STRATEGY" => "fifo"}).strategy == :fifo

      for strategy <- [:pos, :surw, :pct, :portfolio] do
        assert valid([], %{"LOCKSTEP_STRATEGY" => "#{strategy}"}).strategy == strategy
      end

      assert valid([], %{"LOCKSTEP_STRATEGY" => "pct:4"}).strategy == {:pct, 4}
    end

    test "prefers the one seed, which was pasted, to the seeds" do
      assert valid([], %{"LOCKSTEP_SEED" => "4711", "LOCKSTEP_SEEDS" => "200"}).seeds == [4711]
    end

    test "takes an empty variable for none" do
      assert valid([], %{"LOCKSTEP_SEED" => ""}).seeds == 1..100
    end

    test "names the variable that is wrong" do
      assert message([], %{"LOCKSTEP_SEED" => "x4711"}) =~
               ~s(invalid value "x4711" for option :seed (from LOCKSTEP_SEED\): a seed is an integer)

      assert message([], %{"LOCKSTEP_SEEDS" => "1-5"}) =~ "(from LOCKSTEP_SEEDS): expected a count or a range"
      assert message([], %{"LOCKSTEP_SEEDS" => "9..1"}) =~ "a range of seeds goes up"

      assert message([], %{"LOCKSTEP_STRATEGY" => "lucky"}) =~
               "(from LOCKSTEP_STRATEGY): expected one of random, fifo"
    end
  end

  describe "docs/0" do
    test "has a line for every option" do
      docs = Options.docs()
      for {name, _entry} <- Options.schema(), do: assert(docs =~ "  * `#{inspect(name)}` - ")
      assert docs =~ "(default: `100_000`)"
    end
  end
end
