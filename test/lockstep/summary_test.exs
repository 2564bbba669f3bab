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
end
