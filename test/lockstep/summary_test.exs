defmodule Lockstep.SummaryTest do
  use ExUnit.Case, async: true

  alias Lockstep.Summary

  doctest Lockstep.Summary

  test "inspects as one readable line" do
    summary = %Summary{
      runs: 1,
      total: 1,
      steps: 1,
      distinct: 1,
      virtual_ms: 3,
      wall_ms: 2,
      strategy: :fifo,
      seeds: [1]
    }

    assert inspect(summary) == "#Lockstep.Summary<1 run in 2 ms, 1 distinct schedule, 1 step, 3 ms of virtual time>"
  end

  test "says how the portfolio was divided up" do
    summary = %Summary{
      runs: 1_101,
      total: 2_000,
      strategy: :portfolio,
      strategies: %{:surw => 1_040, :pos => 20, {:pct, 2} => 40, :random => 1},
      seeds: 1..2_000
    }

    assert to_string(summary) =~ "; surw 1,040, pct:2 40, pos 20, random 1"
  end
end
