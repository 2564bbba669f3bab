defmodule Lockstep.Cluster.ClocksTest do
  use ExUnit.Case, async: true
  use Lockstep

  alias Lockstep.{Cluster, Runner}

  defp run(fun), do: Runner.run(fun, seeds: 10, escapes: :raise, max_stall: 0)

  # How far the clock of :a is ahead, in ms.
  defp ahead do
    time = fn -> System.system_time(:millisecond) end
    Cluster.run(:a, time) - Cluster.run(:nonode@nohost, time)
  end

  test "offset: sets how far a clock is off, in either direction; other nodes keep theirs" do
    run(fn ->
      Cluster.start_nodes([:a, :b])
      assert ahead() == 0
      assert Cluster.set_clock(:a, offset: 5000) == :ok
      assert ahead() == 5000
      Cluster.set_clock(:a, offset: -300)
      assert ahead() == -300
      offset = fn -> System.time_offset(:millisecond) end
      assert Cluster.run(:a, offset) - Cluster.run(:b, offset) == -300
    end)
  end

  test "jump: moves it from where it is" do
    run(fn ->
      Cluster.start_nodes([:a])
      Cluster.set_clock(:a, offset: 100)
      Cluster.set_clock(:a, jump: 20)
      Cluster.set_clock(:a, jump: -50)
      assert ahead() == 70
      Cluster.set_clock(:a, offset: 10, jump: 5)
      assert ahead() == 15
    end)
  end

  test "drift: lets it go wrong by so many microseconds a second" do
    run(fn ->
      Cluster.start_nodes([:a])
      Cluster.set_clock(:a, drift: 1000)
      Process.sleep(1_000_000)
      assert_in_delta ahead(), 1000, 1
      # From where it is.
      Cluster.set_clock(:a, drift: -500)
      Process.sleep(1_000_000)
      assert_in_delta ahead(), 500, 1
      Cluster.set_clock(:a, offset: 0)
      Process.sleep(100_000)
      assert_in_delta ahead(), -50, 1
      Cluster.set_clock(:a, offset: 0, drift: 0)
      Process.sleep(100_000)
      assert ahead() == 0
    end)
  end

  test "monotonic time and timers go on as they did" do
    run(fn ->
      Cluster.start_nodes([:a])

      Cluster.spawn(:nonode@nohost, fn -> Process.sleep(50) && Cluster.set_clock(:a, jump: 1_000_000) end)

      assert Cluster.run(:a, fn ->
               from = System.monotonic_time(:millisecond)
               Process.sleep(100)
               System.monotonic_time(:millisecond) - from
             end) == 100
    end)
  end

  describe "monitors of the time offset" do
    defp watch(node) do
      test = self()

      Cluster.spawn(node, fn ->
        ref = :erlang.monitor(:time_offset, :clock_service)
        send(test, :watches)
        forward(test, ref)
      end)

      assert_receive :watches
    end

    defp forward(test, ref) do
      receive do: ({:CHANGE, ^ref, :time_offset, :clock_service, offset} -> send(test, {node(), offset}))
      forward(test, ref)
    end

    test "on that node are told of the new one" do
      run(fn ->
        Cluster.start_nodes([:a, :b])
        for node <- [:a, :a, :b], do: watch(node)
        Cluster.set_clock(:a, offset: 1000)
        expected = Cluster.run(:a, fn -> :erlang.time_offset() end)
        assert_receive {:a, ^expected}
        assert_receive {:a, ^expected}
        refute_receive _
      end)
    end

    test "hear of it whoever sets the clock, however it is cut off" do
      run(fn ->
        Cluster.start_nodes([:a, :b])
        watch(:a)
        Cluster.partition([:a], [:b])
        Cluster.run(:b, fn -> Cluster.set_clock(:a, jump: 1) end)
        assert_receive {:a, _offset}
      end)
    end

    test "do not outlast the node" do
      run(fn ->
        Cluster.start_nodes([:a])
        watch(:a)
        Cluster.crash_node(:a)
        Cluster.start_node(:a)
        Cluster.set_clock(:a, jump: 1)
        refute_receive _
      end)
    end
  end

  test "a clock can be set by the node itself, and while it is down, and stays as it is over a restart" do
    run(fn ->
      Cluster.start_nodes([:a])
      Cluster.run(:a, fn -> Cluster.set_clock(:a, offset: 7) end)
      Cluster.crash_node(:a)
      Cluster.set_clock(:a, jump: 1)
      Cluster.start_node(:a)
      assert ahead() == 8
    end)
  end
end
