defmodule Superheroes.Roster.Hybrid do
  @moduledoc """
  The later change is the one with the greater stamp, and stamps come from a hybrid clock.

  A stamp is a time, a count and a node. The clock of a city shows the time of day, but never less than the greatest
  stamp that the city has seen, so whoever changes what he has seen always wins, whatever the clocks of the nodes say.
  Two changes that knew nothing of each other are put in the order of their stamps, and if even these are equal, which
  takes a city that was rebuilt, in the order of what they say. So any two changes have one order, the same everywhere.
  """

  @behaviour Superheroes.Roster

  alias Superheroes.Roster

  @impl true
  def new, do: %{clock: {0, 0}, entries: %{}}

  @impl true
  def heroes(roster), do: for({id, {:active, _stamp, hero}} <- roster.entries, into: %{}, do: {id, hero})

  @impl true
  def enlist(roster, id, name, city), do: put(roster, id, :active, %{name: name, city: city, health: 100})

  @impl true
  def assign(roster, id, city) do
    change(roster, id, fn hero -> put(roster, id, :active, %{hero | city: city, health: Roster.rested(hero)}) end)
  end

  @impl true
  def hurt(roster, id, damage) do
    change(roster, id, fn
      %{health: health} = hero when health > damage -> put(roster, id, :active, %{hero | health: health - damage})
      _hero -> retire(roster, id)
    end)
  end

  @impl true
  def retire(roster, id), do: put(roster, id, :retired, nil)

  @impl true
  def merge(a, b) do
    entries = Map.merge(a.entries, b.entries, fn _id, entry, other -> later(entry, other) end)
    %{clock: max(a.clock, b.clock), entries: entries}
  end

  # In Erlang's order `:retired` comes after `:active`, so it wins.
  defp later(entry, other), do: max(entry, other)

  # Who is not known cannot be changed: not heard of yet, or retired.
  defp change(roster, id, fun) do
    case roster.entries do
      %{^id => {:active, _stamp, hero}} -> fun.(hero)
      %{} -> roster
    end
  end

  # A hero who has retired does not come back.
  defp put(roster, id, status, hero) do
    {time, count} = clock = tick(roster.clock)
    entry = {status, {time, count, node()}, hero}
    %{roster | clock: clock, entries: Map.update(roster.entries, id, entry, &later(&1, entry))}
  end

  defp tick({time, count}) do
    case System.system_time(:millisecond) do
      now when now > time -> {now, 0}
      _behind -> {time, count + 1}
    end
  end
end
