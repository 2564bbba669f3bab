Code.require_file("../../example.exs", __DIR__)
Code.require_file("scenario.exs", __DIR__)

defmodule SuperheroesTest do
  use Lockstep.Case, async: true

  import Example, only: [find: 1]
  import SuperheroesScenario

  alias Lockstep.Cluster
  alias Superheroes.PubSub
  alias Superheroes.Roster.{Hybrid, Seconds}

  @moduletag timeout: 300_000

  # The one test that is meant to fail, to see the report: `mix test --only disagreement`.
  @tag :disagreement
  @tag lockstep: [seeds: 1..500]
  test "the cities agree in the end, with clocks of seconds" do
    agreement(Seconds)
  end

  describe "with clocks of seconds" do
    test "the cities may disagree in the end" do
      assert %ExUnit.AssertionError{} = find(fn -> agreement(Seconds) end)
    end

    test "a change is lost to an earlier one, made where the clock is ahead" do
      assert %ExUnit.AssertionError{} = find(fn -> order(Seconds) end)
    end

    test "a city goes down when it is to assign a hero of whom it has not heard" do
      assert %ExUnit.AssertionError{} = find(fn -> unknown(Seconds) end)
    end

    test "the dispatch gives up when cities do not answer" do
      assert %ExUnit.AssertionError{} = find(fn -> silence(:crash) end)
    end
  end

  describe "with hybrid clocks" do
    @tag lockstep: [seeds: 1..300]
    test "the cities agree in the end" do
      agreement(Hybrid)
    end

    @tag lockstep: [seeds: 1..300]
    test "the later change stays" do
      order(Hybrid)
    end

    @tag lockstep: [seeds: 1..300]
    test "no city goes down" do
      unknown(Hybrid)
    end

    @tag lockstep: [seeds: 1..300]
    test "the dispatch goes on" do
      silence(:skip)
    end

    @tag lockstep: [seeds: 1..100]
    test "a city that was bombed learns again what it knew" do
      bomb()
    end

    @tag lockstep: [seeds: 1..5, max_steps: 10_000_000, max_virtual_time: 24 * 3_600_000]
    test "the cities agree after hours of gossip" do
      hours(3)
    end
  end

  describe "a cluster with faults" do
    @faults [crash: [max: 2, restart: true], pause: true, latency: 0..50, clock_skew: 5000]

    @tag lockstep: [seeds: 1..100, faults: @faults]
    test "has cities that agree when they are over, or a while later" do
      nodes = start(Hybrid)
      for city <- cities(), do: Cluster.spawn(node_of(city), fn -> change_many(city, 1) end)
      Process.sleep(60_000)
      Cluster.settle()
      for node <- nodes, do: assert(running?(node))
      for city <- cities(), do: Lockstep.eventually(fn -> whereis(city) end, within: 60_000)

      Lockstep.eventually(fn -> cities() |> Enum.map(&heroes/1) |> Enum.uniq() |> length() == 1 end,
        within: 60_000,
        every: 500
      )
    end
  end

  describe "names of the whole cluster" do
    @tag lockstep: [seeds: 1..100]
    test "a call of one that is not there exits, a cast is lost" do
      open(Hybrid)

      at_dispatch(fn ->
        assert {:noproc, {GenServer, :call, _}} = catch_exit(Superheroes.heroes(:atlantis))
        assert Superheroes.assign(:atlantis, 1, :gotham) == :ok
      end)
    end
  end

  describe "a node that goes down" do
    @tag lockstep: [seeds: 1..200, sometimes: ["during a call", "before a call"]]
    test "ends the calls of its city, those that are under way and those that come later" do
      open(Hybrid)
      caller = Task.async(fn -> at_dispatch(fn -> catch_exit(call_for_ever(:gotham)) end) end)
      Process.sleep(:rand.uniform(50))
      Cluster.crash_node(node_of(:gotham))
      assert {reason, {GenServer, :call, _}} = Task.await(caller, :infinity)
      Lockstep.sometimes("during a call", match?({:nodedown, _}, reason))
      Lockstep.sometimes("before a call", reason == :noproc)
      assert reason in [:noproc, {:nodedown, node_of(:gotham)}]
    end

    @tag lockstep: [seeds: 1..100]
    test "is not connected to" do
      [dispatch, gotham | _] = open(Hybrid)
      Cluster.crash_node(gotham)
      # Nobody knows before the connection is lost.
      Lockstep.eventually(fn -> Cluster.run(dispatch, fn -> gotham not in Node.list() end) end)
      assert Cluster.run(dispatch, fn -> Node.connect(gotham) end) == false
      assert Cluster.run(dispatch, fn -> Node.connect(dispatch) end) == true
    end
  end

  describe "publish and subscribe" do
    @tag lockstep: [seeds: 1..30]
    test "reaches the subscribers on all nodes, or on those that are connected" do
      open(Hybrid)
      test = self()

      for city <- cities() do
        Cluster.spawn(node_of(city), fn ->
          :ok = PubSub.subscribe("test")
          send(test, {:subscribed, city})
          pass_on(test, city)
        end)
      end

      for city <- cities(), do: assert_receive({:subscribed, ^city})
      Lockstep.eventually(fn -> at_dispatch(fn -> length(:pg.get_members(PubSub, "test")) == 3 end) end)
      at_dispatch(fn -> PubSub.broadcast("test", 1) end)
      for city <- cities(), do: assert_receive({1, ^city})

      cut_off(:gotham)

      Lockstep.eventually(fn -> at_dispatch(fn -> length(:pg.get_members(PubSub, "test")) == 2 end) end,
        within: 120_000
      )

      at_dispatch(fn -> PubSub.broadcast("test", 2) end)
      for city <- [:metropolis, :star_city], do: assert_receive({2, ^city})
      refute_receive {2, :gotham}, 5000
    end

    @tag lockstep: [seeds: 1..100]
    test "polls are published" do
      open(Hybrid)
      enlist([1])

      at_dispatch(fn ->
        :ok = PubSub.subscribe("heroes")
        assert_receive {:heroes, _city, %{1 => %{name: "hero 1"}}}, 120_000
      end)
    end
  end

  defp call_for_ever(city) do
    Superheroes.heroes(city)
    Process.sleep(1)
    call_for_ever(city)
  end

  # For a minute, or until the node goes down.
  defp change_many(city, number) do
    Process.sleep(1000)
    Superheroes.Silence.handle(fn -> Superheroes.enlist(city, rem(number, 5), "hero #{number} of #{city}") end)
    Superheroes.assign(city, :rand.uniform(5), Enum.random(cities()))
    if :rand.uniform(20) == 1, do: Superheroes.retire(city, :rand.uniform(5))
    if number < 60, do: change_many(city, number + 1)
  end

  defp pass_on(test, city) do
    receive do
      number -> send(test, {number, city})
    end

    pass_on(test, city)
  end
end
