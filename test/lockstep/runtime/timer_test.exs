defmodule Lockstep.Runtime.TimerTest do
  use ExUnit.Case, async: true
  use Lockstep

  alias Lockstep.{Cluster, Runner}

  # Processes may be held back for longer than the usual 100 ms.
  @wait 60_000

  defp run(fun, options \\ []), do: Runner.run(fun, Keyword.merge([seeds: 20], options))

  describe "send_after and start_timer" do
    test "send the message when the time has come, not before" do
      run(fn ->
        from = System.monotonic_time(:millisecond)
        Process.send_after(self(), :later, 100)
        ref = :erlang.start_timer(50, self(), :message)
        assert_receive {:timeout, ^ref, :message}, @wait
        assert System.monotonic_time(:millisecond) - from >= 50
        assert_receive :later, @wait
        assert System.monotonic_time(:millisecond) - from >= 100
      end)
    end

    test "a name is looked up when the timer fires" do
      run(
        fn ->
          test = self()
          Process.send_after(:nobody, :hello, 10)
          Process.send_after(:late, :hello, 50)

          spawn(fn ->
            Process.register(self(), :late)
            receive do: (message -> send(test, {:late, message}))
          end)

          assert_receive {:late, :hello}, @wait
        end,
        max_stall: 0
      )
    end

    test "an absolute time is monotonic time" do
      run(
        fn ->
          from = System.monotonic_time(:millisecond)
          Process.send_after(self(), :now, from - 1000, abs: true)
          assert_receive :now, @wait
          Process.send_after(self(), :then, from + 1000, abs: true)
          assert_receive :then, 2000
          assert System.monotonic_time(:millisecond) == from + 1000
        end,
        max_stall: 0
      )
    end

    test "raise ArgumentError for what the VM does not take" do
      run(fn ->
        assert_raise ArgumentError, fn -> :erlang.send_after(-1, self(), :x) end
        assert_raise ArgumentError, fn -> :erlang.send_after(10_000_000_000_000, self(), :x) end
        assert_raise ArgumentError, fn -> :erlang.send_after(1.5, self(), :x) end
        assert_raise ArgumentError, fn -> :erlang.send_after(1, {:name, :node}, :x) end
        assert_raise ArgumentError, fn -> :erlang.start_timer(1, self(), :x, abs: 1) end
      end)
    end

    test "a process of another node cannot have a timer" do
      run(fn ->
        Cluster.start_nodes([:a])
        remote = Cluster.spawn(:a, fn -> Process.sleep(:infinity) end)
        assert_raise ArgumentError, fn -> Process.send_after(remote, :x, 10) end
      end)
    end
  end

  describe "cancel_timer and read_timer" do
    test "tell the milliseconds that are left" do
      run(
        fn ->
          ref = Process.send_after(self(), :x, 100)
          assert Process.read_timer(ref) == 100
          Process.sleep(30)
          assert Process.read_timer(ref) == 70
          assert Process.cancel_timer(ref) == 70
          assert Process.cancel_timer(ref) == false
          assert Process.read_timer(ref) == false
          refute_receive :x, 200
        end,
        max_stall: 0
      )
    end

    test "are false once the timer has fired" do
      run(fn ->
        ref = Process.send_after(self(), :x, 10)
        assert_receive :x, @wait
        assert Process.read_timer(ref) == false
        assert Process.cancel_timer(ref) == false
        assert Process.cancel_timer(make_ref()) == false
      end)
    end

    test "asynchronous, or without a result" do
      run(
        fn ->
          ref = Process.send_after(self(), :x, 100)
          assert :erlang.read_timer(ref, async: true) == :ok
          assert_receive {:read_timer, ^ref, 100}, @wait
          assert Process.cancel_timer(ref, async: true) == :ok
          assert_receive {:cancel_timer, ^ref, 100}, @wait

          ref = Process.send_after(self(), :x, 100)
          assert Process.cancel_timer(ref, info: false) == :ok
          refute_receive _, 200
        end,
        max_stall: 0
      )
    end

    test "raise ArgumentError for what is no timer" do
      run(fn ->
        assert_raise ArgumentError, fn -> :erlang.cancel_timer(:x) end
        assert_raise ArgumentError, fn -> :erlang.cancel_timer(make_ref(), sync: true) end
        assert_raise ArgumentError, fn -> :erlang.read_timer(make_ref(), info: true) end
      end)
    end
  end

  test "outside a run timers are those of the VM" do
    ref = Process.send_after(self(), :x, 60_000)
    assert Process.read_timer(ref) in 1..60_000
    assert Process.cancel_timer(ref) in 1..60_000
  end
end
