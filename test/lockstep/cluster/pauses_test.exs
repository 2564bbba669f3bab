defmodule Lockstep.Cluster.PausesTest do
  use ExUnit.Case, async: true
  use Lockstep

  alias Lockstep.{Cluster, Runner}

  @wait 300_000

  defp run(fun), do: Runner.run(fun, seeds: 20, escapes: :raise, max_stall: 0)

  # `global` starts when a connection is first in danger, and takes its time.
  defp start(nodes) do
    Cluster.start_nodes(nodes)
    Cluster.run(hd(nodes), fn -> :global.sync() end)
  end

  # Says every 10 ms that it is there.
  defp heart(test) do
    send(test, {:beat, node(), Lockstep.now()})
    Process.sleep(10)
    heart(test)
  end

  defp beats do
    receive do
      {:beat, _node, time} -> [time | beats()]
    after
      0 -> []
    end
  end

  describe "pause_node/1 and resume_node/1" do
    test "stop all processes of a node, and let them go on" do
      run(fn ->
        start([:a, :b])
        test = self()
        Cluster.spawn(:a, fn -> heart(test) end)
        Process.sleep(105)
        assert length(beats()) in 10..12
        assert Cluster.pause_node(:a) == :ok
        Process.sleep(1000)
        assert length(beats()) <= 1
        assert Cluster.pause_node(:a) == :ok
        assert Cluster.resume_node(:a) == :ok
        assert Cluster.resume_node(:a) == :ok
        Process.sleep(105)
        assert length(beats()) in 10..12
      end)
    end

    test "are not noticed while they are short: messages wait, and timers are late" do
      run(fn ->
        start([:a, :b])
        test = self()

        pid =
          Cluster.spawn(:a, fn ->
            :net_kernel.monitor_nodes(true)
            Process.send_after(self(), :timer, 50)
            send(test, :ready)
            for _ <- 1..2, do: receive(do: (message -> send(test, {message, Lockstep.now()})))
          end)

        assert_receive :ready
        Cluster.pause_node(:a)
        Cluster.run(:b, fn -> send(pid, :hello) end)
        Process.sleep(5000)
        refute_received _
        resumed = Lockstep.now()
        Cluster.resume_node(:a)
        assert_receive {:hello, time}
        assert time >= resumed
        assert_receive {:timer, time}
        assert time >= resumed
        assert Cluster.run(:a, fn -> Node.list() end) == [:b]
      end)
    end

    test "make the others give the node up, which handles old messages when it goes on" do
      run(fn ->
        start([:a, :b])
        test = self()

        pid =
          Cluster.spawn(:a, fn ->
            :net_kernel.monitor_nodes(true, [:nodedown_reason])
            send(test, :ready)
            for _ <- 1..2, do: receive(do: (message -> send(test, {:got, message})))
          end)

        assert_receive :ready
        Cluster.pause_node(:a)
        Cluster.run(:b, fn -> send(pid, :old) end)
        Process.sleep(100_000)
        assert Cluster.run(:b, fn -> Node.list() end) == []
        Cluster.resume_node(:a)
        assert_receive {:got, :old}
        assert_receive {:got, {:nodedown, :b, [nodedown_reason: :connection_closed]}}
      end)
    end

    test "may be called on the node itself: it is the last that happens there" do
      run(fn ->
        start([:a])
        test = self()
        Cluster.spawn(:a, fn -> Cluster.pause_node(:a) && send(test, :on) end)
        refute_receive :on, 10_000
        Cluster.resume_node(:a)
        assert_receive :on
      end)
    end

    test "let run/2 wait, and processes that are started" do
      run(fn ->
        start([:a])
        Cluster.pause_node(:a)
        Cluster.spawn(:nonode@nohost, fn -> Process.sleep(500) && Cluster.resume_node(:a) end)
        began = Lockstep.now()
        assert Cluster.run(:a, fn -> node() end) == :a
        assert Lockstep.now() - began >= 500
      end)
    end

    test "do not outlast a crash" do
      run(fn ->
        start([:a])
        Cluster.pause_node(:a)
        Cluster.crash_node(:a)
        Cluster.start_node(:a)
        assert Cluster.run(:a, fn -> node() end) == :a
      end)
    end
  end

  describe "pause/2" do
    test "stops one process for a time, not the caller" do
      run(fn ->
        start([:a])
        test = self()
        one = Cluster.spawn(:a, fn -> receive(do: (:go -> send(test, {:one, Lockstep.now()}))) end)
        two = Cluster.spawn(:a, fn -> receive(do: (:go -> send(test, {:two, Lockstep.now()}))) end)
        Process.sleep(10)
        from = Lockstep.now()
        assert Cluster.pause(one, 3000) == :ok
        assert Lockstep.now() - from < 10
        for pid <- [one, two], do: send(pid, :go)
        assert_receive {:two, two_at}
        assert two_at - from < 100
        assert_receive {:one, one_at}, 5000
        assert (one_at - from) in 3000..3010
      end)
    end

    test "of the caller makes it wait" do
      run(fn ->
        from = Lockstep.now()
        Cluster.pause(self(), 700)
        assert (Lockstep.now() - from) in 700..710
      end)
    end

    test "of a dead process does nothing" do
      run(fn ->
        pid = spawn(fn -> :ok end)
        Process.sleep(1)
        assert Cluster.pause(pid, 1000) == :ok
      end)
    end

    test "several at a time end with the last, and not before the node goes on" do
      run(fn ->
        start([:a])
        test = self()
        pid = Cluster.spawn(:a, fn -> receive(do: (:go -> send(test, {:went, Lockstep.now()}))) end)
        Process.sleep(10)
        from = Lockstep.now()
        Cluster.pause(pid, 1000)
        Cluster.pause(pid, 10)
        Cluster.pause_node(:a)
        send(pid, :go)
        Process.sleep(500)
        Cluster.resume_node(:a)
        assert_receive {:went, time}
        assert (time - from) in 1000..1010
      end)
    end

    test "does not save a process from being killed" do
      run(fn ->
        pid = spawn(fn -> Process.sleep(:infinity) end)
        ref = Process.monitor(pid)
        Process.sleep(1)
        Cluster.pause(pid, 100_000)
        Process.exit(pid, :kill)
        assert_receive {:DOWN, ^ref, :process, ^pid, :killed}, @wait
        assert Lockstep.now() < 1000
      end)
    end
  end
end
