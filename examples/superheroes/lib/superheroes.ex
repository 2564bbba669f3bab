defmodule Superheroes do
  @moduledoc """
  Superheroes and the cities that they guard, on a cluster without a leader.

  Each city runs on a node of its own, under a name that the whole cluster knows, and has a roster of all heroes. What
  is changed in one city reaches the others by gossip: every node now and then has a random city told what another one
  knows (`Superheroes.Gossip`). Rosters that differ are merged (`Superheroes.Roster`).
  """

  alias Superheroes.Roster

  @type city :: atom()

  @doc "A new hero, in good health, in the city that is told."
  @spec enlist(city(), Roster.id(), String.t()) :: :ok
  def enlist(city, id, name), do: call(city, {:enlist, id, name})

  @doc "Tells a city that a hero is to guard another one from now on. Travelling is a rest."
  @spec assign(city(), Roster.id(), city()) :: :ok
  def assign(city, id, new_city), do: cast(city, {:assign, id, new_city})

  @doc "Tells a city that a hero was hurt. Who has no health left retires."
  @spec hurt(city(), Roster.id(), pos_integer()) :: :ok
  def hurt(city, id, damage), do: cast(city, {:hurt, id, damage})

  @doc "Tells a city that a hero retires, for ever."
  @spec retire(city(), Roster.id()) :: :ok
  def retire(city, id), do: cast(city, {:retire, id})

  @doc "Drops a bomb on a city. It is rebuilt, but has forgotten everything."
  @spec bomb(city()) :: :ok
  def bomb(city), do: cast(city, :bomb)

  @doc "The heroes that a city knows of."
  @spec heroes(city()) :: %{Roster.id() => Roster.hero()}
  def heroes(city), do: call(city, :heroes)

  @doc "Has `city` told what `source` knows."
  @spec tell(city(), city()) :: :ok
  def tell(source, city), do: cast(city, {:merge, call(source, :roster)})

  defp call(city, request), do: GenServer.call({:global, city}, request)

  # To a city that is not there, too, this says `:ok`.
  defp cast(city, request), do: GenServer.cast({:global, city}, request)
end
