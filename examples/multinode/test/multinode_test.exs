Code.require_file("scenario.exs", __DIR__)

defmodule MultinodeTest do
  use Lockstep.Case, async: true

  import MultinodeScenario

  alias Lockstep.{Cluster, Runner}
  alias Multinode.Worker.{Named, Standby}

  @moduletag timeout: 300_000

  # The one test that is meant to fail, to see the report: `mix test --only conflict`.
  @tag :conflict
  @tag lockstep: [seeds: 1..500]
  test "the application survives when nodes meet that have a worker each" do
    survival(Named)
  end

  describe "a name that can be had once" do
    test "takes down the application wherever it is lost" do
      assert {:failed, failure} = Runner.explore(fn -> survival(Named) end, seeds: 1..500)
      assert %{left: [:"a@127.0.0.1"], right: [_, _, _]} = difference(failure)
    end

    test "does not keep nodes from having a worker each as long as they have not met" do
      assert {:failed, failure} = Runner.explore(fn -> one_at_most(Named) end, seeds: 1..500)
      assert %Lockstep.AlwaysError{name: "one worker at most", value: false} = failure.error
    end

    test "has a round done twice while nodes meet" do
      assert {:failed, failure} = Runner.explore(fn -> rounds(Named) end, seeds: 1..500)
      assert %ExUnit.AssertionError{} = error(failure)
    end
  end

  describe "a name for which the others stand by" do
    @tag lockstep: [seeds: 1..500]
    test "takes nobody down" do
      survival(Standby)
    end

    @tag lockstep: [seeds: 1..100]
    test "is nobody's as long as the nodes have not met" do
      one_at_most(Standby)
    end

    @tag lockstep: [seeds: 1..500]
    test "has no round done twice" do
      rounds(Standby)
    end

    @tag lockstep: [seeds: 1..200]
    test "is another one's when the worker is killed, or its node" do
      nodes = boot(Standby)
      meet(nodes)
      [worker] = workers(nodes)
      assert running(nodes) == nodes
      Process.exit(worker, :kill)
      Process.sleep(3000)
      assert [next] = workers(nodes)
      assert next != worker

      rest = nodes -- [node(next)]
      Cluster.crash_node(node(next))
      Process.sleep(5000)
      assert [last] = workers(rest)
      assert node(last) in rest
    end
  end

  describe "a cluster with faults" do
    @faults [partition: true, crash: [max: 2, restart: true], latency: 0..50, clock_skew: 500]

    @tag lockstep: [seeds: 1..300, faults: @faults]
    test "has no round done twice, and rounds done again when they are over" do
      nodes = boot(Standby)
      Process.sleep(120_000)
      Cluster.settle()
      before = received()
      Process.sleep(5000)
      later = received()
      assert later != []
      assert_once(before ++ later)
      assert running(nodes) == nodes
    end
  end

  describe "what nodes know of one another" do
    @tag lockstep: [seeds: 1..100]
    test "a node on its own is no cluster, two are" do
      [a, b, _c] = Cluster.start_nodes([:a, :b, :c], connect: false)
      assert Cluster.run(a, fn -> {Node.list(), Multinode.nodes(), Multinode.in_cluster?()} end) == {[], [a], false}
      assert Cluster.run(a, fn -> Node.connect(b) end)

      assert Cluster.run(a, fn -> {Node.list(), Multinode.nodes(), Multinode.in_cluster?()} end) ==
               {[b], [a, b], true}

      Lockstep.eventually(fn -> Cluster.run(b, fn -> Multinode.in_cluster?() end) end)
    end

    @tag lockstep: [seeds: 1..20]
    test "it does not matter who has started them" do
      {:ok, slave} = apply(:slave, :start_link, [:localhost, :slave])
      {:ok, _process, peer} = :peer.start_link(%{name: :peer, host: ~c"localhost"})

      Lockstep.eventually(fn ->
        Cluster.run(slave, fn -> peer in Multinode.nodes() and Node.ping(peer) == :pong end)
      end)
    end

    @tag lockstep: [seeds: 1..100]
    test "who asks is told of nodes that come and go, and can disconnect once" do
      [a, b] = Cluster.start_nodes([:a, :b], connect: false)

      Cluster.run(a, fn ->
        :ok = :net_kernel.monitor_nodes(true)
        assert Node.connect(b)
        assert_receive {:nodeup, ^b}
        # What connects nodes that have just met is not only the test: they talk about names for a while.
        Process.sleep(1000)
        assert Node.disconnect(b) == true
        assert Node.disconnect(b) == false
        assert_receive {:nodedown, ^b}
      end)
    end
  end

  defp error(%{error: {:crash, :error, error, _stack}}), do: error

  defp difference(failure) do
    %ExUnit.AssertionError{left: left, right: right} = error(failure)
    %{left: left, right: right}
  end
end
