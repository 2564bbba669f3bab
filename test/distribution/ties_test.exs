Code.require_file("support.exs", __DIR__)

defmodule Distribution.TiesTest do
  @moduledoc """
  Monitors, links and exit signals between nodes: each rule on simulated nodes, over many seeds. What real nodes do is in
  `test/oracle`.
  """
  use ExUnit.Case, async: true
  use Lockstep

  import Distribution.Support

  alias Lockstep.Cluster

  defp sleep, do: Process.sleep(:infinity)

  # The end of a process on `:b` that dies in a given way, as its monitor on `:a` sees it: what the message says.
  defp ending(body, then \\ fn _pid -> :ok end) do
    Cluster.start_nodes([:a, :b])
    target = Cluster.spawn(:b, body)
    recorder = recorder(:a)
    monitor = tell(recorder, fn -> Process.monitor(target) end)
    tell(recorder, fn -> then.(target) end)
    settle()

    for message <- log(recorder) do
      assert {:DOWN, ^monitor, :process, ^target, reason} = message
      reason
    end
  end

  # One that waits for its end to be asked for, so that it is watched before.
  defp waits(fun), do: fn -> receive(do: (:go -> fun.())) end
  defp go(target), do: send(target, :go)

  test "R-MON1 the reason of the end" do
    run(fn -> assert ending(waits(fn -> exit(:bye) end), &go/1) == [:bye] end)
    run(fn -> assert ending(waits(fn -> :ok end), &go/1) == [:normal] end)
    run(fn -> assert ending(waits(fn -> exit({:shutdown, 1}) end), &go/1) == [shutdown: 1] end)
    run(fn -> assert [{%RuntimeError{}, [_ | _]}] = ending(waits(fn -> raise "no" end), &go/1) end)
    run(fn -> assert [{{:nocatch, :ball}, [_ | _]}] = ending(waits(fn -> throw(:ball) end), &go/1) end)
  end

  test "R-MON1 exit signals: kill becomes killed, normal is ignored" do
    run(fn -> assert ending(&sleep/0, &Process.exit(&1, :kill)) == [:killed] end)
    run(fn -> assert ending(&sleep/0, &Process.exit(&1, :killed)) == [:killed] end)
    run(fn -> assert ending(&sleep/0, &Process.exit(&1, {:some, :reason})) == [some: :reason] end)
    run(fn -> assert ending(&sleep/0, &Process.exit(&1, :normal)) == [] end)
  end

  test "R-MON1 who traps exits gets all of them but kill" do
    run(fn ->
      Cluster.start_nodes([:a, :b])
      target = recorder(:b)
      recorder = recorder(:a)
      tell(recorder, fn -> for reason <- [:normal, :bye, :killed], do: Process.exit(target, reason) end)
      settle()
      assert log(target) == [{:EXIT, recorder, :normal}, {:EXIT, recorder, :bye}, {:EXIT, recorder, :killed}]
      monitor = tell(recorder, fn -> Process.monitor(target) end)
      tell(recorder, fn -> Process.exit(target, :kill) end)
      settle()
      assert log(recorder) == [{:DOWN, monitor, :process, target, :killed}]
    end)
  end

  test "R-MON1 a process that ends meanwhile is seen to end or is gone" do
    assert outcomes(fn -> ending(fn -> exit(:bye) end) end, seeds: 1..200) == [[:bye], [:noproc]]
  end

  test "R-MON2 nobody is there" do
    run(fn ->
      Cluster.start_nodes([:a, :b])
      dead = Cluster.spawn(:b, fn -> :ok end)
      settle()
      recorder = recorder(:a)
      by_pid = tell(recorder, fn -> Process.monitor(dead) end)
      settle()
      by_name = tell(recorder, fn -> Process.monitor({:nobody, :b}) end)
      settle()

      assert log(recorder) == [
               {:DOWN, by_pid, :process, dead, :noproc},
               {:DOWN, by_name, :process, {:nobody, :b}, :noproc}
             ]
    end)
  end

  test "R-MON2 a node that is not there" do
    run(fn ->
      Cluster.start_nodes([:a, :b])
      target = Cluster.spawn(:b, &sleep/0)
      Cluster.crash_node(:b)
      settle()
      recorder = recorder(:a)
      by_pid = tell(recorder, fn -> Process.monitor(target) end)
      by_name = tell(recorder, fn -> Process.monitor({:name, :b}) end)
      never = tell(recorder, fn -> Process.monitor({:name, :never_heard_of}) end)
      settle()

      assert Enum.sort(log(recorder)) ==
               Enum.sort([
                 {:DOWN, by_pid, :process, target, :noconnection},
                 {:DOWN, by_name, :process, {:name, :b}, :noconnection},
                 {:DOWN, never, :process, {:name, :never_heard_of}, :noconnection}
               ])
    end)
  end

  test "R-MON2 who is watched by name is reported by name" do
    run(fn ->
      Cluster.start_nodes([:a, :b])
      target = recorder(:b, fn -> Process.register(self(), :target) end)
      recorder = recorder(:a)
      monitor = tell(recorder, fn -> Process.monitor({:target, :b}) end)
      # The name is looked up once, when the monitor gets there.
      settle()
      tell(target, fn -> Process.unregister(:target) end)
      tell(recorder, fn -> Process.exit(target, :kill) end)
      settle()
      assert log(recorder) == [{:DOWN, monitor, :process, {:target, :b}, :killed}]
    end)
  end

  test "R-MON2 a connection that is lost" do
    run(fn ->
      Cluster.start_nodes([:a, :b])
      target = recorder(:b, fn -> Process.register(self(), :target) end)
      recorder = recorder(:a)
      by_pid = tell(recorder, fn -> Process.monitor(target) end)
      by_name = tell(recorder, fn -> Process.monitor({:target, :b}) end)
      settle()
      Cluster.disconnect(:a, :b)

      assert log(recorder) == [
               {:DOWN, by_pid, :process, target, :noconnection},
               {:DOWN, by_name, :process, {:target, :b}, :noconnection}
             ]
    end)
  end

  test "R-MON3 the tag replaces DOWN" do
    run(fn ->
      Cluster.start_nodes([:a, :b])
      target = recorder(:b)
      recorder = recorder(:a)
      tagged = tell(recorder, fn -> :erlang.monitor(:process, target, tag: {:my, :tag}) end)
      nobody = tell(recorder, fn -> :erlang.monitor(:process, {:nobody, :b}, tag: :none) end)
      settle()
      aliased = tell(recorder, fn -> :erlang.monitor(:process, target, alias: :demonitor, tag: 1) end)
      settle()
      tell(recorder, fn -> Process.exit(target, :kill) end)
      settle()

      assert [{:none, ^nobody, :process, {:nobody, :b}, :noproc} | ended] = log(recorder)

      assert Enum.sort(ended) ==
               Enum.sort([{{:my, :tag}, tagged, :process, target, :killed}, {1, aliased, :process, target, :killed}])
    end)
  end

  test "R-MON3 a reply to an alias that has ended is dropped" do
    run(fn ->
      Cluster.start_nodes([:a, :b])
      target = recorder(:b)
      recorder = recorder(:a)
      explicit = tell(recorder, fn -> :erlang.monitor(:process, target, alias: :explicit_unalias) end)
      tell(target, fn -> send(explicit, {:reply, 1}) end)
      settle()
      assert tell(recorder, fn -> :erlang.unalias(explicit) end) == true
      assert tell(recorder, fn -> :erlang.unalias(explicit) end) == false
      tell(target, fn -> send(explicit, {:reply, 2}) end)
      settle()
      assert log(recorder) == [{:reply, 1}]
      # The monitor is still there.
      tell(recorder, fn -> Process.exit(target, :kill) end)
      settle()
      assert log(recorder) == [{:reply, 1}, {:DOWN, explicit, :process, target, :killed}]
    end)
  end

  test "R-MON3 a reply that comes while the alias ends is there or dropped" do
    late = fn ->
      Cluster.start_nodes([:a, :b])
      target = recorder(:b)
      recorder = recorder(:a)
      ref = tell(recorder, fn -> :erlang.monitor(:process, target, alias: :demonitor) end)
      tell(target, fn -> send(ref, :reply) end)
      assert tell(recorder, fn -> Process.demonitor(ref, [:flush, :info]) end) == true
      settle()
      log(recorder)
    end

    assert outcomes(late, seeds: 1..200) == [[], [:reply]]
  end

  test "R-MON3 an alias for one reply takes exactly one" do
    run(fn ->
      Cluster.start_nodes([:a, :b])
      target = recorder(:b)
      recorder = recorder(:a)
      ref = tell(recorder, fn -> :erlang.alias([:reply]) end)
      assert node(ref) == :a
      tell(target, fn -> for reply <- 1..3, do: send(ref, reply) end)
      settle()
      assert log(recorder) == [1]
      assert tell(recorder, fn -> :erlang.unalias(ref) end) == false
    end)
  end

  test "R-MON3 the first reply ends a monitor with an alias for one" do
    run(fn ->
      Cluster.start_nodes([:a, :b])
      target = recorder(:b)
      recorder = recorder(:a)
      ref = tell(recorder, fn -> :erlang.monitor(:process, target, alias: :reply_demonitor) end)
      tell(target, fn -> for reply <- 1..2, do: send(ref, reply) end)
      settle()
      tell(recorder, fn -> Process.exit(target, :kill) end)
      settle()
      assert log(recorder) == [1]
    end)
  end

  test "R-MON4 demonitor with flush and info is true once" do
    run(fn ->
      Cluster.start_nodes([:a, :b])
      target = recorder(:b)
      recorder = recorder(:a)
      ref = tell(recorder, fn -> Process.monitor(target) end)
      twice = fn -> for _ <- 1..2, do: Process.demonitor(ref, [:flush, :info]) end
      assert tell(recorder, twice) == [true, false]
      tell(recorder, fn -> Process.exit(target, :kill) end)
      settle()
      assert log(recorder) == []
    end)
  end

  test "R-MON4 whether or not it has fired, nothing is left of it" do
    race = fn ->
      Cluster.start_nodes([:a, :b])
      target = Cluster.spawn(:b, &sleep/0)
      recorder = recorder(:a)

      found =
        tell(recorder, fn ->
          ref = Process.monitor(target)
          Process.exit(target, :kill)
          Process.sleep(2)
          Process.demonitor(ref, [:flush, :info])
        end)

      settle()
      {found, log(recorder)}
    end

    assert outcomes(race, seeds: 1..200) == [{false, []}, {true, []}]
  end

  test "R-LNK1 to a dead process of another node: true, and then the exit" do
    run(fn ->
      Cluster.start_nodes([:a, :b])
      dead = Cluster.spawn(:b, fn -> :ok end)
      settle()
      recorder = recorder(:a)
      assert tell(recorder, fn -> Process.link(dead) end) == true
      settle()
      assert log(recorder) == [{:EXIT, dead, :noproc}]
    end)
  end

  test "R-LNK1 it kills who does not trap exits" do
    run(fn ->
      Cluster.start_nodes([:a, :b])
      dead = Cluster.spawn(:b, fn -> :ok end)
      settle()
      monitor = Process.monitor(Cluster.spawn(:a, fn -> Process.link(dead) && sleep() end))
      assert_receive {:DOWN, ^monitor, :process, _, :noproc}
    end)
  end

  test "R-LNK1 to a node that is not there" do
    run(fn ->
      Cluster.start_nodes([:a, :b])
      target = Cluster.spawn(:b, &sleep/0)
      Cluster.crash_node(:b)
      settle()
      recorder = recorder(:a)
      assert tell(recorder, fn -> Process.link(target) end) == true
      settle()
      assert log(recorder) == [{:EXIT, target, :noconnection}]
    end)
  end

  test "R-LNK1 to a dead process of one's own node: an error, or for who traps exits a signal" do
    run(fn ->
      Cluster.start_nodes([:a])
      dead = Cluster.run(:a, fn -> spawn(fn -> :ok end) end)
      settle()
      recorder = recorder(:a)
      assert tell(recorder, fn -> Process.link(dead) end) == true
      assert Cluster.run(:a, fn -> catch_error(Process.link(dead)) end) == :noproc
      settle()
      assert log(recorder) == [{:EXIT, dead, :noproc}]
    end)
  end

  test "R-LNK2 two links are one" do
    run(fn ->
      Cluster.start_nodes([:a, :b])
      target = recorder(:b)
      recorder = recorder(:a)
      assert tell(recorder, fn -> for _ <- 1..2, do: Process.link(target) end) == [true, true]
      assert tell(target, fn -> Process.link(recorder) end) == true
      tell(recorder, fn -> Process.exit(target, :kill) end)
      settle()
      assert log(recorder) == [{:EXIT, target, :killed}]
    end)
  end

  test "R-LNK2 one that is taken back is none" do
    run(fn ->
      Cluster.start_nodes([:a, :b])
      target = recorder(:b)
      recorder = recorder(:a)

      assert tell(recorder, fn ->
               for(_ <- 1..2, do: Process.link(target)) ++ for(_ <- 1..2, do: Process.unlink(target))
             end) == [true, true, true, true]

      tell(recorder, fn -> Process.exit(target, :kill) end)
      settle()
      assert log(recorder) == []
    end)
  end

  test "R-LNK2 whoever of the two takes it back, no end is signalled to it" do
    race = fn ->
      Cluster.start_nodes([:a, :b])
      target = recorder(:b)
      recorder = recorder(:a, fn -> Process.link(target) end)
      settle()
      # Its end may be under way already.
      send(target, {:tell, self(), fn -> exit(:bye) end})

      flushed =
        tell(recorder, fn ->
          Process.unlink(target)
          receive(do: ({:EXIT, ^target, :bye} -> true), after: (0 -> false))
        end)

      settle()
      {flushed, log(recorder)}
    end

    assert outcomes(race, seeds: 1..200) == [{false, []}, {true, []}]
  end

  test "R-LNK3 a connection that is lost kills linked processes on both sides" do
    run(fn ->
      Cluster.start_nodes([:a, :b])
      test = self()
      b = Cluster.spawn(:b, &sleep/0)
      a = Cluster.spawn(:a, fn -> Process.link(b) && send(test, :linked) && sleep() end)
      assert_receive :linked
      settle()
      monitors = for pid <- [a, b], do: Process.monitor(pid)
      settle()
      Cluster.disconnect(:a, :b)
      for monitor <- monitors, do: assert_receive({:DOWN, ^monitor, :process, _, :noconnection}, 10_000)
    end)
  end

  test "R-LNK3 who traps exits gets the reason" do
    run(fn ->
      Cluster.start_nodes([:a, :b])
      target = recorder(:b)
      recorder = recorder(:a, fn -> Process.link(target) end)
      settle()
      Cluster.partition([:a], [:b], :tcp)
      Process.sleep(100_000)
      assert log(recorder) == [{:EXIT, target, :noconnection}]
      assert log(target) == [{:EXIT, recorder, :noconnection}]
    end)
  end

  test "R-LNK3 to who has unlinked the other no loss is told, to the other it may be" do
    lost = fn ->
      Cluster.start_nodes([:a, :b])
      target = recorder(:b)
      # Already connected: whatever a first connection would start is there.
      recorder = recorder(:a, fn -> Node.connect(:b) && Process.link(target) end)
      settle()
      tell(recorder, fn -> Process.unlink(target) && Node.disconnect(:b) end)
      settle()
      {log(recorder), log(target) == [{:EXIT, recorder, :noconnection}]}
    end

    # The signal that the link is taken back may be lost with the connection.
    assert outcomes(lost, seeds: 1..200) == [{[], false}, {[], true}]
  end

  test "R-LNK4 a lost link or monitor does not come back" do
    run(fn ->
      Cluster.start_nodes([:a, :b])
      target = recorder(:b)
      recorder = recorder(:a)
      monitor = tell(recorder, fn -> Process.link(target) && Process.monitor(target) end)
      settle()
      Cluster.disconnect(:a, :b)
      settle()
      lost = [{:EXIT, target, :noconnection}, {:DOWN, monitor, :process, target, :noconnection}]
      assert log(recorder) == lost
      assert log(target) == [{:EXIT, recorder, :noconnection}]
      assert Cluster.run(:a, fn -> Node.ping(:b) end) == :pong
      assert lists([:a, :b]) == [[:b], [:a]]
      tell(recorder, fn -> Process.exit(target, :kill) end)
      settle()
      assert Cluster.run(:b, fn -> Process.alive?(target) end) == false
      assert log(recorder) == lost
    end)
  end

  test "R-LNK4 nor when the other side has not noticed that it was lost" do
    run(fn ->
      Cluster.start_nodes([:a])
      Cluster.start_nodes([:b], env: [kernel: [net_ticktime: 4]])
      target = recorder(:b)
      recorder = recorder(:a, fn -> Process.link(target) end)
      settle()
      Cluster.partition([:a], [:b], :tcp)
      Process.sleep(20_000)
      assert log(target) == [{:EXIT, recorder, :noconnection}]
      assert log(recorder) == []
      Cluster.heal()
      tell(target, fn -> send(recorder, :hello) end)
      settle()
      assert log(recorder) == [{:EXIT, target, :noconnection}, :hello]
    end)
  end

  test "R-MON7 monitor_node is counted" do
    run(fn ->
      Cluster.start_nodes([:a, :b])
      recorder = recorder(:a)
      flags = [true, true, true, false]
      assert tell(recorder, fn -> for flag <- flags, do: Node.monitor(:b, flag) end) == [true, true, true, true]
      Cluster.crash_node(:b)
      settle()
      assert log(recorder) == [nodedown: :b, nodedown: :b]
    end)
  end

  test "R-MON7 taken back more often than asked for, it counts from nothing" do
    run(fn ->
      Cluster.start_nodes([:a, :b])
      recorder = recorder(:a)
      tell(recorder, fn -> for flag <- [false, false, true], do: true = Node.monitor(:b, flag) end)
      Cluster.crash_node(:b)
      settle()
      assert log(recorder) == [nodedown: :b]
    end)
  end

  test "R-MON7 a node that cannot be reached is down at once" do
    run(fn ->
      Cluster.start_nodes([:a])
      recorder = recorder(:a)
      assert tell(recorder, fn -> for _ <- 1..2, do: Node.monitor(:nobody, true) end) == [true, true]
      settle()
      assert log(recorder) == [nodedown: :nobody, nodedown: :nobody]
    end)
  end

  test "R-MON7 one that can be reached is connected to" do
    run(fn ->
      Cluster.start_nodes([:a, :b], connect: false)
      recorder = recorder(:a, fn -> Node.monitor(:b, true) end)
      settle()
      assert lists([:a, :b]) == [[:b], [:a]]
      assert log(recorder) == []
      Cluster.disconnect(:b, :a)
      settle()
      assert log(recorder) == [nodedown: :b]
    end)
  end

  test "R-MON7 the own node" do
    run(fn ->
      Cluster.start_nodes([:a])
      recorder = recorder(:a)
      assert tell(recorder, fn -> for flag <- [true, false], do: Node.monitor(:a, flag) end) == [true, true]
      settle()
      assert log(recorder) == []
    end)
  end

  test "R-MON7 it is told of one loss only" do
    run(fn ->
      start_isolated([:a, :b])
      recorder = recorder(:a, fn -> Node.monitor(:b, true) end)
      for _ <- 1..2, do: Cluster.disconnect(:a, :b) && Cluster.connect(:a, :b)
      settle()
      assert log(recorder) == [nodedown: :b]
    end)
  end

  test "R-MON7 asked again between the loss and the news of it" do
    again = fn ->
      Cluster.start_nodes([:a, :b])
      recorder = recorder(:a, fn -> Node.monitor(:b, true) end)
      settle()
      Cluster.disconnect(:b, :a)
      tell(recorder, fn -> Node.monitor(:b, true) end)
      settle()
      log(recorder)
    end

    # The second watches the old connection or makes a new one.
    assert outcomes(again, seeds: 1..200) == [[nodedown: :b], [nodedown: :b, nodedown: :b]]
  end

  test "R-MON7 wrong arguments" do
    run(fn ->
      Cluster.start_nodes([:a])
      node = Cluster.run(:a, fn -> catch_error(:erlang.monitor_node(:lists.last([1]), true)) end)
      flag = Cluster.run(:a, fn -> catch_error(:erlang.monitor_node(:b, :lists.last([:maybe]))) end)
      assert {node, flag} == {:badarg, :badarg}
    end)
  end
end
