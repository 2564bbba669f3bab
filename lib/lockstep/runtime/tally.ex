defmodule Lockstep.Runtime.Tally do
  @moduledoc false
  # Two numbers of a run that its processes ask for all the time: whether what they know from the store still holds.
  #
  # To read one takes a fraction of a look-up in the store, which copies what it finds.

  alias Lockstep.Runtime.Context

  @type t :: :atomics.atomics_ref()
  @type kind :: :nodes_not_alive | :changes_of_tables

  @places %{nodes_not_alive: 1, changes_of_tables: 2}

  @doc "The tally of a run that begins."
  @spec new() :: t()
  def new, do: :atomics.new(map_size(@places), signed: true)

  for {kind, place} <- @places do
    @doc "The number of that kind."
    @spec get(Context.t(), kind()) :: integer()
    def get(ctx, unquote(kind)), do: :atomics.get(ctx.tally, unquote(place))

    @doc "Adds to the number of that kind."
    @spec add(Context.t(), kind(), integer()) :: :ok
    def add(ctx, unquote(kind), increment), do: :atomics.add(ctx.tally, unquote(place), increment)
  end
end
