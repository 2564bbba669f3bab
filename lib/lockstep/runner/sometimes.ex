defmodule Lockstep.Runner.Sometimes do
  @moduledoc false
  # What the runs of a sweep have met, counted by name: `{runs that met it, runs that looked at it, place}`.

  alias Lockstep.Runtime

  @type counts :: %{(String.t() | atom()) => {non_neg_integer(), non_neg_integer(), Runtime.Place.t()}}

  @doc "The counts before the first run: what has been declared must be met even if no run comes to it."
  @spec declared([String.t() | atom()]) :: counts()
  def declared(names), do: Map.new(names, &{&1, {0, 0, nil}})

  @doc "Adds what one run has met."
  @spec add(counts(), [Runtime.Sometimes.met()]) :: counts()
  def add(counts, met), do: Enum.reduce(met, counts, &count/2)

  defp count({name, met?, place}, counts) do
    {met, looked_at, first} = Map.get(counts, name, {0, 0, nil})
    Map.put(counts, name, {met + if(met?, do: 1, else: 0), looked_at + 1, first || place})
  end

  @doc "Puts the counts of two parts of a sweep together; that of the first comes first."
  @spec merge(counts(), counts()) :: counts()
  def merge(counts, others) do
    Map.merge(counts, others, fn _name, {met, looked_at, first}, {more, others, place} ->
      {met + more, looked_at + others, first || place}
    end)
  end

  @doc "How many runs have met each."
  @spec met(counts()) :: %{(String.t() | atom()) => non_neg_integer()}
  def met(counts), do: Map.new(counts, fn {name, {met, _looked_at, _place}} -> {name, met} end)

  @doc "What none of `runs` runs has met. One run alone, as of a replay, proves nothing."
  @spec unmet(counts(), non_neg_integer()) :: [Lockstep.SometimesError.unmet()]
  def unmet(_counts, runs) when runs < 2, do: []

  def unmet(counts, _runs) do
    for {name, {0, looked_at, place}} <- Enum.sort(counts), do: %{name: name, place: place, reached: looked_at}
  end
end
