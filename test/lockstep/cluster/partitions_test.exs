defmodule Lockstep.Cluster.PartitionsTest do
  use ExUnit.Case, async: true
  use Lockstep

  alias Lockstep.{Cluster, Runner}

  @wait 300_000

  # Processes are not held back, so that times can be stated.
  defp run(fun), do: Runner.run(fun, seeds: 20, escapes: :raise, max_stall: 0)

  # A process on each node that sends the test whatever it gets, nodeup and nodedown included.
  defp start(nodes, options \\ []) do
    Cluster.start_nodes(nodes, options)
    test = self()

    for node <- nodes do
      Cluster.spawn(node, fn ->
        Process.register(self(), :forwarder)
        :net_kernel.monitor_nodes(true, [:nodedown_reason])
        send(test, :forwards)
        forward(test)
      end)

      assert_receive :forwards, @wait
    end

    nodes
  end

  defp forward(test) do
    receive do: (message -> send(test, {:got, node(), message}))
    forward(test)
  end

  defp tell(from, to, message), do: Cluster.run(from, fn -> send({:forwarder, to}, message) end)
  defp list(node), do: Cluster.run(node, fn -> Enum.sort(Node.list()) end)
  defp now, do: Lockstep.now()

  defp down(node, reason), do: {:nodedown, node, [nodedown_reason: reason]}

  describe "partition with :tcp" do
    test "loses nothing if it heals before anybody has noticed" do
      run(fn ->
        start([:a, :b])
        Cluster.partition([:a], [:b], :tcp)
        for n <- 1..20, do: tell(:a, :b, n)
        Process.sleep(30_000)
        refute_received {:got, _, _}
        Cluster.heal()
        for n <- 1..20, do: assert_receive({:got, :b, ^n}, @wait)
        refute_receive {:got, _, _}
      end)
    end

    test "is noticed by each side within 45 to 75 s, and what was sent is lost" do
      run(fn ->
        start([:a, :b])
        Cluster.partition([[:a], [:b]], :tcp)
        tell(:a, :b, :lost)
        began = now()
        assert_receive {:got, :a, event_a}, @wait
        assert_receive {:got, :b, event_b}, @wait
        assert {event_a, event_b} == {down(:b, :net_tick_timeout), down(:a, :net_tick_timeout)}
        assert (now() - began) in 45_000..75_100
        assert {list(:a), list(:b)} == {[], []}
        Cluster.heal()
        refute_receive {:got, _, _}
        # Healing connects nobody: the next message does.
        assert {list(:a), list(:b)} == {[], []}
        tell(:a, :b, :arrives)
        assert_receive {:got, :b, {:nodeup, :a, []}}, @wait
        assert_receive {:got, :b, :arrives}, @wait
      end)
    end

    test "takes as long as net_ticktime says, or set_ticktime/1" do
      for set <- [fn -> start([:a, :b], env: [kernel: [net_ticktime: 8]]) end, fn -> tick(start([:a, :b]), 8000) end] do
        run(fn ->
          set.()
          Cluster.partition([:a], [:b], :tcp)
          began = now()
          assert_receive {:got, :a, _}, @wait
          assert_receive {:got, :b, _}, @wait
          assert (now() - began) in 6_000..10_100
        end)
      end
    end

    defp tick(nodes, milliseconds) do
      Cluster.set_ticktime(milliseconds)
      nodes
    end
  end

  describe "partition with :drop and :defer" do
    test "is noticed after the tick time, and connected again when it heals" do
      for mode <- [:drop, :defer] do
        run(fn ->
          start([:a, :b, :c])
          Cluster.partition([[:a], [:b, :c]], mode)
          began = now()
          assert_receive {:got, :a, {:nodedown, :b, _}}, @wait
          assert (now() - began) in 15_000..15_100
          assert_receive {:got, :a, {:nodedown, :c, _}}, @wait
          assert_receive {:got, :b, {:nodedown, :a, _}}, @wait
          assert {list(:a), list(:b)} == {[], [:c]}
          Cluster.heal()
          assert {list(:a), list(:b), list(:c)} == {[:b, :c], [:a, :c], [:a, :b]}
        end)
      end
    end
  end

  test "a heal connects nobody who was not connected before" do
    run(fn ->
      start([:a, :b])
      start([:c], connect: false)
      Cluster.partition([[:a], [:b], [:c]])
      Process.sleep(20_000)
      Cluster.heal()
      assert {list(:a), list(:b), list(:c)} == {[:b], [:a], []}
    end)
  end

  describe "partition_oneway/3" do
    test "silences one direction; the deaf side gives up and tells the other" do
      run(fn ->
        start([:a, :b])
        Cluster.partition_oneway(:a, :b)
        tell(:a, :b, :waits)
        tell(:b, :a, :arrives)
        assert_receive {:got, :a, :arrives}, 100
        assert_receive {:got, :b, event_b}, @wait
        assert event_b == down(:a, :net_tick_timeout)
        assert_receive {:got, :a, event_a}, 100
        assert event_a == down(:b, :connection_closed)
        refute_receive {:got, _, _}
      end)
    end

    test "takes several nodes and a mode" do
      run(fn ->
        start([:a, :b, :c])
        Cluster.partition_oneway([:a, :b], [:c], :drop)
        for node <- [:a, :b], do: tell(node, :c, {:lost, node})
        tell(:c, :a, 1)
        tell(:a, :b, 2)
        assert_receive {:got, :a, 1}, 100
        assert_receive {:got, :b, 2}, 100
        refute_receive {:got, _, _}
      end)
    end
  end

  describe "heal/0, heal/1 and heal/2" do
    defp reached(sender) do
      for to <- [:a, :b, :c], to != sender, do: tell(sender, to, {:from, sender})
      for to <- [:a, :b, :c], reached?(to, sender), do: to
    end

    defp reached?(to, sender) do
      receive do
        {:got, ^to, {:from, ^sender}} -> true
      after
        100 -> false
      end
    end

    test "heal what they say" do
      for {heal, expected} <- [
            {fn -> Cluster.heal() end, [[:b, :c], [:a, :c], [:a, :b]]},
            {fn -> Cluster.heal(:a) end, [[:b, :c], [:a], [:a]]},
            {fn -> Cluster.heal(:a, :b) end, [[:b], [:a], []]},
            {fn -> Cluster.heal(:b, :a) end, [[:b], [:a], []]}
          ] do
        run(fn ->
          start([:a, :b, :c])
          Cluster.partition([[:a], [:b], [:c]])
          assert heal.() == :ok
          assert Enum.map([:a, :b, :c], &reached/1) == expected
        end)
      end
    end

    test "without a partition do nothing" do
      run(fn ->
        start([:a, :b])
        assert {Cluster.heal(), Cluster.heal(:a), Cluster.heal(:a, :b)} == {:ok, :ok, :ok}
        refute_receive _
      end)
    end
  end

  describe "hold/2 and release/2" do
    test "hold back one direction, unnoticed for however long, until it is released" do
      run(fn ->
        start([:a, :b])
        assert Cluster.hold(:a, :b) == :ok
        for n <- 1..10, do: tell(:a, :b, n)
        tell(:b, :a, :through)
        assert_receive {:got, :a, :through}, 100
        Process.sleep(200_000)
        Cluster.heal()
        refute_receive {:got, _, _}
        Cluster.release(:b, :a)
        refute_receive {:got, _, _}
        assert Cluster.release([:a], [:b]) == :ok
        for n <- 1..10, do: assert_receive({:got, :b, ^n}, 100)
        refute_receive {:got, _, _}
      end)
    end
  end

  describe "disconnect/2 and connect/2" do
    test "close a connection and make it again" do
      run(fn ->
        start([:a, :b])
        assert Cluster.connect(:a, :b)
        assert Cluster.disconnect(:a, :b) == true
        assert list(:a) == []
        assert_receive {:got, :a, event_a}, 100
        assert_receive {:got, :b, event_b}, 100
        assert {event_a, event_b} == {down(:b, :disconnect), down(:a, :connection_closed)}
        assert Cluster.disconnect(:b, :a) == false
        assert Cluster.connect(:b, :a) == true
        assert_receive {:got, :a, {:nodeup, :b, _}}, 100
        assert_receive {:got, :b, {:nodeup, :a, _}}, 100
      end)
    end

    test "connect nodes that were started apart, whatever their cookies, but not across a cut or a node that is down" do
      run(fn ->
        # `global` would connect them again.
        apart = [connect: false, env: [kernel: [connect_all: false]]]
        start([:a, :b], apart)
        start([:c], [cookie: :other] ++ apart)
        assert Cluster.connect(:a, :b)
        assert Cluster.connect(:b, :c)
        Cluster.disconnect(:a, :b)
        Cluster.partition_oneway(:b, :a)
        refute Cluster.connect(:a, :b)
        Cluster.crash_node(:b)
        Cluster.heal()
        refute Cluster.connect(:a, :b)
        refute Cluster.disconnect(:a, :b)
      end)
    end
  end

  describe "flap/3" do
    test "cuts and heals as often and as long as it is told" do
      run(fn ->
        start([:a, :b])
        # `global` starts when a connection is first in danger, and takes its time.
        Cluster.run(:a, fn -> :global.sync() end)
        began = now()
        assert Cluster.flap(:a, :b, times: 4, down: 50, up: 25) == :ok
        assert (now() - began) in 300..310
        assert Cluster.flap(:a, :b, times: 0) == :ok
        assert (now() - began) in 300..310
        tell(:a, :b, :arrives)
        assert_receive {:got, :b, :arrives}, 100
        refute_receive {:got, _, _}
      end)
    end

    test "loses the connection each time if a cut is noticed" do
      run(fn ->
        start([:a, :b])
        Cluster.set_ticktime(100)
        Cluster.flap(:a, :b, times: 2, down: 200, up: 100, mode: :drop)
        for _ <- 1..2, do: assert_receive({:got, :a, {:nodedown, :b, _}}, 100)
        for _ <- 1..2, do: assert_receive({:got, :a, {:nodeup, :b, _}}, 100)
        assert {list(:a), list(:b)} == {[:b], [:a]}
      end)
    end
  end
end
