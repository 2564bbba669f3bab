defmodule Lockstep.Runtime.Tally do
  @moduledoc false
  # Two numbers of a run that its processes ask for all the time: whether what they know from the store still holds.
  #
  # To read one takes a fraction of a look-up in the store, which copies what it finds.

  alias Lockstep.Runtime.Context

  @type t :: :atomics.atomics_ref()
  @type kind :: :nodes_not_alive | :changes_of_tables

  @doc "The tally of a run that begins."
  @spec new() :: t()
  def new, do: :atomics.new(2, signed: true)

  @doc "The number of that kind."
  @spec get(Context.t(), kind()) :: integer()
  def get(ctx, kind), do: :atomics.get(ctx.tally, place(kind))

  @doc "Adds to the number of that kind."
  @spec add(Context.t(), kind(), integer()) :: :ok
  def add(ctx, kind, increment), do: :atomics.add(ctx.tally, place(kind), increment)

  defp place(:nodes_not_alive), do: 1
  defp place(:changes_of_tables), do: 2
end
