defmodule Lockstep.Support.Outside do
  @moduledoc false
  # A way out of a run for the tests of runs: modules of Lockstep itself are not instrumented.

  @listener __MODULE__

  def listen do
    :persistent_term.put(@listener, self())
    :ok
  end

  @doc "Tells only inside of a run: the same program runs on the plain VM, too."
  def tell_if_inside(outcome), do: if(Lockstep.Runtime.Context.inside?(), do: tell(outcome))

  def tell(outcome), do: send(:persistent_term.get(@listener), {:outcome, outcome})

  @doc "Counts in a counter of the VM."
  def count(counter), do: :counters.add(counter, 1, 1)
end
