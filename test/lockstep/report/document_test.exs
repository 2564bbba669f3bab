defmodule Lockstep.Report.DocumentTest do
  # What tools are told, of a failure that was just found and of the same from its file.
  use ExUnit.Case, async: true
  use Lockstep

  alias Lockstep.{Failures, Report, Runner, Trace}
  alias Lockstep.Failures.Shown

  @moduletag :tmp_dir

  defp race do
    {main, table} = {self(), :ets.new(:table, [:public])}
    :ets.insert(table, {:key, 0})
    for _ <- 1..2, do: spawn(fn -> send(main, {:done, increment(table)}) end)
    for _ <- 1..2, do: receive(do: ({:done, true} -> :ok))
    [{:key, 2}] = :ets.lookup(table, :key)
  end

  defp increment(table) do
    [{:key, value}] = :ets.lookup(table, :key)
    :ets.insert(table, {:key, value + 1})
  end

  defp found(dir, options) do
    assert {:failed, failure} = Runner.explore(fn -> race() end, [seeds: 1..500, failures: dir] ++ options)
    failure
  end

  defp stored(failure) do
    assert {:ok, stored} = Failures.read(failure.file)
    assert {:ok, trace} = Trace.decode(stored.trace)
    Shown.failure(stored, trace, failure.file)
  end

  defp told(failure) do
    assert {:ok, document} = failure |> Report.json() |> JsonReader.parse()
    document
  end

  test "the strategy that was asked for, and the one of the portfolio that the seed had", %{tmp_dir: dir} do
    for {asked, strategy, chosen?} <- [
          {:portfolio, "portfolio", true},
          {:random, "random", false},
          {{:pct, 2}, "pct:2", false},
          {:exhaustive, "exhaustive", false}
        ] do
      failure = found(dir, strategy: asked)
      document = told(failure)
      assert document["strategy"] == strategy
      assert document["chosen"] != nil == chosen?
      assert Map.take(told(stored(failure)), ["strategy", "chosen"]) == Map.take(document, ["strategy", "chosen"])
    end
  end

  test "the seeds of the portfolio have different ones", %{tmp_dir: dir} do
    seeds = for seed <- 1..200, {:failed, failure} <- [once(dir, seed)], do: told(stored(failure))["chosen"]
    assert "surw" in seeds
    assert Enum.any?(seeds, &String.starts_with?(&1, "pct:"))
    assert Enum.all?(seeds, &(&1 in ~w(surw pos pct:2 pct:3 random)))
  end

  defp once(dir, seed), do: Runner.explore(fn -> race() end, seed: seed, failures: dir, shrink: false)

  test "a replay names the file with all its steps, if it took the recorded path", %{tmp_dir: dir} do
    failure = found(dir, strategy: :random)
    assert {:failed, again} = Runner.explore(fn -> race() end, replay: failure.file)
    assert told(again)["strategy"] == "replay"
    assert Exception.message(again) =~ "mix lockstep.trace --full #{Path.relative_to_cwd(failure.file)}"
  end

  test "a replay that left the recorded path does not", %{tmp_dir: dir} do
    failure = found(dir, strategy: :random)

    changed = fn ->
      Process.put(:changed, :ets.new(:another, []))
      race()
    end

    assert {:failed, again} = Runner.explore(changed, replay: failure.file)
    refute Exception.message(again) =~ "mix lockstep.trace --full"
  end
end
