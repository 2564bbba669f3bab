defmodule Lockstep.Support.Tally do
  @moduledoc false
  # Counters that no run controls: modules of Lockstep itself are not instrumented, and the tests need a source of
  # differences from outside, and a place to count in over many runs.

  def new(size), do: :counters.new(size, [])
  def add(tally, index), do: :counters.add(tally, index, 1)
  def get(tally, index), do: :counters.get(tally, index)
end
