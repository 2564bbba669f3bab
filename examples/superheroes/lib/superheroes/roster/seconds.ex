defmodule Superheroes.Roster.Seconds do
  @moduledoc """
  The later change is the one with the later time, by the clock of the city that made it, in seconds.

  It has three faults. Of two changes in the same second the other city's wins, on both sides. A city whose clock is
  ahead wins against changes that were made after its own. And an assignment of a hero that the city has not heard of,
  or that has retired, takes the city down.
  """

  @behaviour Superheroes.Roster

  alias Superheroes.Roster

  @impl true
  def new, do: %{heroes: %{}, retired: MapSet.new()}

  @impl true
  def heroes(roster), do: Map.new(roster.heroes, fn {id, hero} -> {id, Map.delete(hero, :last_updated)} end)

  @impl true
  def enlist(roster, id, name, city), do: put(roster, id, %{name: name, city: city, health: 100})

  @impl true
  def assign(roster, id, city) do
    hero = Map.get(roster.heroes, id, %{})
    put(roster, id, Map.merge(hero, %{city: city, health: Roster.rested(hero)}))
  end

  @impl true
  def hurt(roster, id, damage) do
    case roster.heroes do
      %{^id => %{health: health} = hero} when health > damage -> put(roster, id, %{hero | health: health - damage})
      %{^id => _hero} -> retire(roster, id)
      %{} -> roster
    end
  end

  @impl true
  def retire(roster, id) do
    %{roster | heroes: Map.delete(roster.heroes, id), retired: MapSet.put(roster.retired, id)}
  end

  @impl true
  def merge(a, b) do
    retired = MapSet.union(a.retired, b.retired)
    heroes = Map.merge(a.heroes, b.heroes, fn _id, hero, other -> later(hero, other) end)
    %{heroes: Map.drop(heroes, MapSet.to_list(retired)), retired: retired}
  end

  defp later(hero, other), do: if(hero.last_updated > other.last_updated, do: hero, else: other)

  defp put(roster, id, hero) do
    put_in(roster.heroes[id], Map.put(hero, :last_updated, System.system_time(:second)))
  end
end
