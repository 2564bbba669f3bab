defmodule Lockstep.Cluster.DurationsTest do
  use ExUnit.Case, async: true
  use Lockstep

  alias Lockstep.{Cluster, ClusterError, Runner}

  defp drawn(options) do
    test = self()

    # Many in each of a few runs: a run waits often for its turn where other tests keep the machine busy.
    for seed <- 1..15, time <- in_run(seed, options, test), into: MapSet.new(), do: time
  end

  defp in_run(seed, options, test) do
    body = fn ->
      times = for _ <- 1..20, do: Cluster.duration(options)
      Lockstep.host(fn -> send(test, {seed, times}) end)
    end

    Runner.run(body, seeds: [seed], strategy: :random)
    receive(do: ({^seed, times} -> times))
  end

  test "lie around the times that matter, on both sides" do
    assert drawn(around: 1000) == MapSet.new([100, 500, 990, 1000, 1010, 1333])
    assert drawn(around: 1000, up_to: 1000) == MapSet.new([100, 500, 990, 1000])
    assert drawn(around: [10, 1000]) |> MapSet.size() == 12
  end

  test "lie around the timeout of a call and net_ticktime if nothing is said" do
    drawn = drawn([])
    for time <- [5_000, 4_950, 5_050, 59_400, 60_000, 60_600, 75_000], do: assert(time in drawn)
  end

  test "are refused where the options are wrong" do
    for {options, reason} <- [
          {:no_options, {:not_options, :no_options}},
          {[around: []], {:bad_option, {:around, []}}},
          {[around: -1], {:bad_option, {:around, -1}}},
          {[up_to: :never], {:bad_option, {:up_to, :never}}},
          {[about: 1], {:unknown_option, :about, [:around, :up_to]}}
        ] do
      assert %ClusterError{reason: ^reason} = refused(options)
    end
  end

  defp refused(options) do
    test = self()

    Runner.run(fn -> catch_error(Cluster.duration(options)) |> then(&Lockstep.host(fn -> send(test, &1) end)) end,
      seeds: 1,
      strategy: :random
    )

    receive(do: (error -> error))
  end
end
