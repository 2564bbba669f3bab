Code.require_file("../../programs/bugs.exs", __DIR__)

defmodule Lockstep.Shrink.SearchTest do
  use ExUnit.Case, async: true

  alias Lockstep.{Options, Runner, Simulation}
  alias Lockstep.Shrink.{Plan, Search, Signature}

  defp search(name, more \\ []) do
    {program, options} = Programs.Bugs.all()[name]
    {:failed, failure} = Runner.explore(program, [seeds: 1..500, shrink: false, failures: false] ++ options)
    {:ok, options} = Options.validate(options, %{})

    search = %Search{
      fun: program,
      config: Simulation.config(%{options | strategy: :fifo}, failure.seed, false),
      signature: Signature.of(failure.result),
      replays_left: Keyword.get(more, :replays, 10),
      steps_left: Keyword.get(more, :steps, 100_000)
    }

    {result, search} = Search.run(search, {:along, failure.result.choices})
    assert result.hash == failure.result.hash
    %{search | best: Search.measured(Plan.done(result), result)}
  end

  # A best run that any other is smaller than.
  defp worse(search, faults) do
    best = search.best
    plan = best.plan ++ best.plan

    %{
      search
      | best: %{best | plan: plan, cost: put_elem(best.cost, 0, 1_000), result: %{best.result | faults: faults}}
    }
  end

  test "a plan that is what the run has done leads to it" do
    search = search(:lost_update)
    {{:same, run}, _} = Search.attempt(search, search.best.plan)
    assert run.result.hash == search.best.result.hash
    assert run.cost == search.best.cost
  end

  test "each plan is run once" do
    search = search(:lost_update)
    {:pass, search} = Search.attempt(search, [])
    {:pass, again} = Search.attempt(search, [])
    assert again == search
  end

  test "what is spent of the budget is spent" do
    search = search(:lost_update, replays: 2)
    assert Search.open?(search)
    {:pass, search} = Search.attempt(search, [])
    refute Search.open?(search)
    assert {:unknown, ^search} = Search.attempt(search, search.best.plan)
    refute search(:lost_update, steps: 1) |> Search.open?()
    assert search |> Search.extend(1, 0) |> Search.open?()
  end

  test "a run is the best if it fails the same way and is smaller" do
    search = search(:lost_update)
    assert {false, ^search} = Search.try(%{search | known: %{}}, search.best.plan) |> forget(search)
    assert {true, _} = search |> worse(%{}) |> Search.try(search.best.plan)
    assert {false, _} = Search.try(search, [])
    other = %{search | signature: {:error, :badarg, []}}
    assert {false, _} = other |> worse(%{}) |> Search.try(search.best.plan)
  end

  defp forget({answer, search}, before) do
    {answer,
     %{search | known: before.known, replays: before.replays}
     |> Map.merge(Map.take(before, [:replays_left, :steps_left]))}
  end

  test "a run with another kind of fault is not smaller" do
    search = search(:partition_fault)
    faults = search.best.result.faults
    assert faults != %{}
    assert {true, _} = search |> worse(faults) |> Search.try(search.best.plan)
    assert {false, _} = search |> worse(%{crash: 9}) |> Search.try(search.best.plan)
    assert {false, _} = search |> worse(%{}) |> Search.try(search.best.plan)
  end
end
