defmodule Lockstep.Support.Sight do
  @moduledoc false
  # What the processes of a program saw, written down without a step of the program: modules of Lockstep itself are not
  # instrumented.

  def new, do: :ets.new(:sight, [:public, :ordered_set])

  def saw(sight, number, what) do
    :ets.insert(sight, {{number, :ets.update_counter(sight, {number, 0}, 1, {{number, 0}, 0})}, what})
  end

  @doc "All that process `number` saw, in order."
  def of(sight, number) do
    for {{^number, place}, what} <- :ets.tab2list(sight), place > 0, do: what
  end
end
