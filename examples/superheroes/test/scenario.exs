defmodule SuperheroesScenario do
  @moduledoc false
  # Three cities on a node each and a fourth node, the dispatch, which is none.

  use Lockstep
  import ExUnit.Assertions

  alias Lockstep.Cluster
  alias Superheroes.Roster.{Hybrid, Seconds}

  @dispatch :"dispatch@127.0.0.1"
  @cities [gotham: :"gotham@127.0.0.1", metropolis: :"metropolis@127.0.0.1", star_city: :"star_city@127.0.0.1"]

  @doc "What there is to find."
  def bugs do
    [
      {"cities disagree", fn -> agreement(Seconds) end},
      {"a change is lost to an earlier one", fn -> order(Seconds) end},
      {"a city goes down", fn -> unknown(Seconds) end},
      {"the dispatch gives up", fn -> silence(:crash) end}
    ]
  end

  @doc "What there is not to find."
  def twins do
    [
      {"hybrid clocks: the cities agree", fn -> agreement(Hybrid) end},
      {"hybrid clocks: the later change stays", fn -> order(Hybrid) end},
      {"hybrid clocks: no city goes down", fn -> unknown(Hybrid) end},
      {"silence skipped: the dispatch goes on", fn -> silence(:skip) end}
    ]
  end

  @doc "The cities agree in the end, after changes of the same heroes in all of them."
  def agreement(roster) do
    open(roster)
    enlist(1..2)
    everybody_tells_everybody()

    cities()
    |> Enum.map(&Task.async(fn -> change(&1) end))
    |> Task.await_many(:infinity)

    everybody_tells_everybody()
    assert_agreement()
  end

  defp change(city) do
    for _ <- 1..3 do
      Process.sleep(:rand.uniform(1500))
      change(city, &Superheroes.assign(&1, Enum.random(1..2), Enum.random(cities())))
    end
  end

  @doc "A change by who knows of the one before it is there in the end, although the first city's clock is ahead."
  def order(roster) do
    open(roster)
    Cluster.set_clock(@cities[:gotham], offset: 60_000)
    enlist(1..1)
    change(:gotham, &Superheroes.hurt(&1, 1, 50))
    Process.sleep(:rand.uniform(2000))
    everybody_tells_everybody()
    change(:metropolis, &Superheroes.assign(&1, 1, :star_city))
    everybody_tells_everybody()
    for city <- cities(), do: assert(%{1 => %{city: :star_city, health: 70}} = heroes(city))
  end

  @doc "No city goes down when heroes are assigned while they enlist and retire elsewhere."
  def unknown(roster) do
    open(roster)
    before = Enum.map(cities(), &whereis/1)
    enlist(1..2)
    Process.sleep(:rand.uniform(3000))
    at_dispatch(fn -> Superheroes.retire(:gotham, 1) end)
    at_dispatch(fn -> for id <- 1..2, do: Superheroes.assign(:metropolis, id, :star_city) end)
    Process.sleep(2000)
    assert Enum.map(cities(), &whereis/1) == before
  end

  @doc "The dispatch goes on while two cities cannot be reached."
  def silence(silence) do
    open(Hybrid)
    at_dispatch(fn -> Application.put_env(:superheroes, :silence, silence) end)
    for city <- [:gotham, :star_city], do: Cluster.crash_node(node_of(city))
    Process.sleep(10_000)
    assert running?(@dispatch)
  end

  @doc "A city that is bombed is rebuilt, and learns by and by what the others know."
  def bomb do
    open(Hybrid)
    enlist(1..3)
    everybody_tells_everybody()
    bombed = whereis(:gotham)
    at_dispatch(fn -> Superheroes.bomb(:gotham) end)
    Lockstep.eventually(fn -> whereis(:gotham) not in [nil, bombed] end)
    Lockstep.eventually(fn -> assert Map.keys(heroes(:gotham)) == [1, 2, 3] end, within: 120_000)
  end

  @doc "So many virtual hours of gossip, with a change every ten minutes."
  def hours(count) do
    open(Hybrid)
    enlist(1..5)
    everybody_tells_everybody()

    for _ <- 1..(count * 6) do
      Process.sleep(:timer.minutes(10))
      change(Enum.random(cities()), &Superheroes.assign(&1, Enum.random(1..5), Enum.random(cities())))
    end

    everybody_tells_everybody()
    assert_agreement()
  end

  ## Steps

  @doc "Starts the application on all nodes; returns when every city is known everywhere."
  def open(roster) do
    nodes = start(roster)
    for node <- nodes, city <- cities(), do: make_known(city, node, roster)
    nodes
  end

  # A node that joins through several others at once may lose a name for good, by a race of `:global` itself (see the
  # README). It is started anew.
  defp make_known(city, node, roster) do
    Lockstep.eventually(fn -> whereis(city, node) end, within: 60_000)
  rescue
    Lockstep.EventuallyError ->
      Cluster.crash_node(node)
      Cluster.start_node(node, options(roster))
      for city <- cities(), do: Lockstep.eventually(fn -> whereis(city, node) end, within: 60_000)
  end

  @doc "Starts the application on all nodes. For a while many cities do not answer."
  def start(roster), do: Cluster.start_nodes(nodes(), options(roster))

  defp nodes, do: [@dispatch | Keyword.values(@cities)]

  defp options(roster) do
    env = [cities: cities(), nodes: nodes(), roster: roster, silence: :skip]
    [connect: false, env: [superheroes: env], start: &start/0]
  end

  defp start do
    for {city, node} <- @cities, node == node(), do: Application.put_env(:superheroes, :city, city)
    {:ok, _} = Application.ensure_all_started(:superheroes)
  end

  def cities, do: Keyword.keys(@cities)
  def dispatch, do: @dispatch
  def node_of(city), do: @cities[city]

  def at_dispatch(fun), do: Cluster.run(@dispatch, fun)
  def enlist(ids), do: at_dispatch(fn -> for id <- ids, do: :ok = Superheroes.enlist(:gotham, id, "hero #{id}") end)
  def heroes(city), do: at_dispatch(fn -> Superheroes.heroes(city) end)

  @doc "Nothing gets to a city's node, or from there, from now on."
  def cut_off(city), do: Cluster.partition([node_of(city)], Cluster.list_up() -- [node_of(city)], :tcp)

  def whereis(city, node \\ @dispatch), do: Cluster.run(node, fn -> GenServer.whereis({:global, city}) end)
  def running?(node), do: Cluster.run(node, fn -> Process.whereis(Superheroes.Supervisor) != nil end)

  # What a city is asked comes after what it was told by the same process.
  defp change(city, fun) do
    at_dispatch(fn ->
      fun.(city)
      Superheroes.heroes(city)
    end)
  end

  @doc "What gossip comes to in the end, all at once."
  def everybody_tells_everybody do
    at_dispatch(fn ->
      for(source <- cities(), city <- cities(), source != city, do: Task.async(fn -> tell(source, city) end))
      |> Task.await_many(:infinity)
    end)
  end

  defp tell(source, city) do
    Superheroes.tell(source, city)
    Superheroes.heroes(city)
  end

  def assert_agreement do
    [first | rest] = Enum.map(cities(), &heroes/1)
    for other <- rest, do: assert(other == first)
  end
end
