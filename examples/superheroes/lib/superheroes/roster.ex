defmodule Superheroes.Roster do
  @moduledoc """
  What a city knows of all heroes, and how that is merged with what another city knows.

  Of two changes of a hero the later one is to win, everywhere. Whoever has retired stays so.
  """

  @type id :: term()
  @type hero :: %{name: String.t(), city: Superheroes.city(), health: 1..100}
  @type t :: term()

  @callback new() :: t()
  @callback heroes(t()) :: %{id() => hero()}
  @callback enlist(t(), id(), String.t(), Superheroes.city()) :: t()
  @callback assign(t(), id(), Superheroes.city()) :: t()
  @callback hurt(t(), id(), pos_integer()) :: t()
  @callback retire(t(), id()) :: t()

  @doc "What those two cities know together."
  @callback merge(t(), t()) :: t()

  @doc "The health of a hero after a rest."
  @spec rested(hero()) :: 1..100
  def rested(hero), do: min(hero.health + 20, 100)
end
