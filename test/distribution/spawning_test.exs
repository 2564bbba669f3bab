Code.require_file("support.exs", __DIR__)

defmodule Distribution.SpawningTest do
  @moduledoc """
  Processes that are started on other nodes, and nodes that are started again: each rule on simulated nodes, over many
  seeds. What real nodes do is in `test/oracle`.
  """
  use ExUnit.Case, async: true
  use Lockstep

  import Distribution.Support

  alias Lockstep.Cluster

  defp sleep, do: Process.sleep(:infinity)

  # What a recorder on `:a` gets when it starts something, besides what it is answered.
  defp started(fun, nodes \\ [:a, :b]) do
    Cluster.start_nodes(nodes)
    recorder = recorder(:a)
    answer = tell(recorder, fun)
    settle()
    {answer, log(recorder)}
  end

  @tag :capture_log
  test "R-SPN1 spawn on a node that cannot be reached is a pid of the own node" do
    run(fn ->
      assert {pid, []} = started(fn -> Node.spawn(:nobody, &sleep/0) end)
      assert is_pid(pid) and node(pid) == :a
      assert Cluster.run(:a, fn -> Process.alive?(pid) end) == false
    end)

    run(fn ->
      assert {pid, []} = started(fn -> :erlang.spawn(:nobody, :lists, :seq, [1, 2]) end)
      assert is_pid(pid) and node(pid) == :a
    end)
  end

  @tag :capture_log
  test "R-SPN1 its ties break with noconnection" do
    run(fn ->
      assert {pid, [{:EXIT, pid, :noconnection}]} = started(fn -> Node.spawn_link(:nobody, &sleep/0) end)
      assert node(pid) == :a
    end)

    run(fn ->
      assert {{pid, ref}, log} = started(fn -> Node.spawn_monitor(:nobody, &sleep/0) end)
      assert log == [{:DOWN, ref, :process, pid, :noconnection}]
      assert node(pid) == :a
    end)

    run(fn ->
      assert {{pid, ref}, log} =
               started(fn -> :erlang.spawn_opt(:nobody, &sleep/0, [:link, monitor: [tag: :over]]) end)

      assert Enum.sort(log) == Enum.sort([{:EXIT, pid, :noconnection}, {:over, ref, :process, pid, :noconnection}])
      assert node(pid) == :a
    end)
  end

  test "R-SPN1 a warning is logged" do
    run(fn ->
      log = ExUnit.CaptureLog.capture_log(fn -> started(fn -> :erlang.spawn(:nobody, :lists, :seq, [1, 2]) end) end)
      assert log =~ "** Can not start lists:seq,[1,2] on nobody **"
    end)

    run(fn ->
      log =
        ExUnit.CaptureLog.capture_log(fn ->
          started(fn -> :erlang.spawn_opt(:nobody, :lists, :seq, [1, 2], [:link]) end)
        end)

      assert log =~ "** Can not start lists:seq,[1,2] ([link]) on nobody **"
    end)
  end

  test "R-SPN1 a request is answered, and there is nobody to end" do
    for options <- [[], [:link], [:monitor], [:link, :monitor]] do
      run(fn ->
        assert {ref, log} = started(fn -> :erlang.spawn_request(:nobody, &sleep/0, options) end)
        assert log == [{:spawn_reply, ref, :error, :noconnection}]
      end)
    end
  end

  test "R-SPN1 a connection that is lost on the way" do
    lost = fn ->
      start_isolated([:a, :b])
      warm(:a)
      recorder = recorder(:a)
      target = recorder(:b)
      let(recorder, fn -> node(Node.spawn(:b, fn -> send(target, :ran) end)) end)
      Cluster.run(:b, fn -> Node.disconnect(:a) end)
      settle()
      {told(recorder), log(target)}
    end

    # Not started; started, but nobody heard of it; started before.
    assert outcomes(lost, seeds: 1..200) == [a: [], a: [:ran], b: [:ran]]
  end

  test "R-SPN1 during a silent cut it waits until the connection is lost" do
    run(
      fn ->
        Cluster.start_nodes([:a, :b])
        recorder = recorder(:a)
        Cluster.partition([:a], [:b], :tcp)
        {node, took} = timed(fn -> tell(recorder, fn -> node(Node.spawn(:b, &sleep/0)) end) end)
        assert node == :a
        assert took in 30_000..75_000
      end,
      max_virtual_time: 200_000
    )
  end

  test "R-SPN2 a request is answered first, and all speaks of one reference" do
    run(fn ->
      assert {ref, log} = started(fn -> :erlang.spawn_request(:b, fn -> exit(:done) end, [:monitor, :link]) end)
      assert [{:spawn_reply, ^ref, :ok, pid} | ends] = log
      assert Enum.sort(ends) == Enum.sort([{:EXIT, pid, :done}, {:DOWN, ref, :process, pid, :done}])
      assert node(pid) == :b
    end)
  end

  test "R-SPN2 the tag of the answer" do
    run(fn ->
      assert {ref, log} =
               started(fn -> :erlang.spawn_request(:b, fn -> exit(:done) end, [:monitor, reply_tag: :mine]) end)

      assert [{:mine, ^ref, :ok, pid}, {:DOWN, ^ref, :process, pid, :done}] = log
    end)

    run(fn ->
      assert {ref, log} = started(fn -> :erlang.spawn_request(:nobody, &sleep/0, reply_tag: :mine) end)
      assert log == [{:mine, ref, :error, :noconnection}]
    end)
  end

  test "R-SPN2 when there is no answer" do
    for {node, reply, answered} <- [
          {:b, :no, []},
          {:b, :error_only, []},
          {:b, :success_only, [:ok]},
          {:nobody, :no, []},
          {:nobody, :error_only, [:error]},
          {:nobody, :success_only, []}
        ] do
      run(
        fn ->
          assert {ref, log} = started(fn -> :erlang.spawn_request(node, &sleep/0, reply: reply) end)
          assert is_reference(ref)
          assert for({:spawn_reply, ^ref, result, _} <- log, do: result) == answered
          assert length(log) == length(answered)
        end,
        seeds: 1..30
      )
    end
  end

  test "R-SPN2 wrong options are answered, too" do
    for node <- [:a, :b, :nobody] do
      run(
        fn ->
          assert {ref, log} = started(fn -> :erlang.spawn_request(node, &sleep/0, [:nonsense]) end)
          assert log == [{:spawn_reply, ref, :error, :badopt}]
        end,
        seeds: 1..30
      )
    end
  end

  test "R-SPN2 a request that is abandoned" do
    abandon = fn ->
      Cluster.start_nodes([:a, :b])
      target = recorder(:b)
      recorder = recorder(:a)

      abandoned? =
        tell(recorder, fn ->
          ref = :erlang.spawn_request(:b, fn -> send(target, :ran) && sleep() end, [:link])
          Process.sleep(2)
          :erlang.spawn_request_abandon(ref)
        end)

      settle()
      answers = for message <- log(recorder), do: elem(message, 0)

      others =
        Cluster.run(:b, fn -> Enum.count(Process.list(), &(Process.info(&1, :links) == {:links, [recorder]})) end)

      {abandoned?, answers, others}
    end

    assert outcomes(abandon, seeds: 1..200) == [{false, [:spawn_reply], 1}, {true, [], 0}]
  end

  test "R-SPN3 the group leader is that of who has started it" do
    run(fn ->
      Cluster.start_nodes([:a, :b])
      leader = recorder(:a)

      {pid, own} =
        Cluster.run(:a, fn ->
          own = Process.group_leader()
          Process.group_leader(self(), leader)
          {Node.spawn(:b, fn -> IO.puts("printed") end), own}
        end)

      settle()
      assert [{:io_request, ^pid, _, {:put_chars, :unicode, "printed\n"}}] = log(leader)
      assert node(pid) == :b
      assert node(own) == :a
      assert Cluster.run(:a, fn -> :erpc.call(:b, fn -> Process.group_leader() end) == Process.group_leader() end)
      refute Cluster.run(:b, fn -> Process.group_leader() end) == own
    end)
  end

  test "R-SPN3 the group leader of a process on another node can be set" do
    run(fn ->
      Cluster.start_nodes([:a, :b])
      target = recorder(:b)
      leader = recorder(:a)
      assert tell(leader, fn -> Process.group_leader(target, self()) end) == true
      settle()
      assert tell(target, fn -> Process.group_leader() end) == leader
    end)
  end

  test "R-SPN3 the group leader is not set through a cut" do
    run(
      fn ->
        Cluster.start_nodes([:a, :b])
        target = recorder(:b)
        leader = recorder(:a)
        Cluster.partition([:a], [:b], :tcp)
        assert tell(leader, fn -> Process.group_leader(target, self()) end) == true
        settle()
        refute tell(target, fn -> Process.group_leader() end) == leader
        Cluster.heal()
        settle()
        assert tell(target, fn -> Process.group_leader() end) == leader
      end,
      seeds: 1..50
    )
  end

  @tag :capture_log
  test "R-SPN3 a function that there is not" do
    run(fn ->
      assert {{pid, ref}, log} = started(fn -> :erlang.spawn_monitor(:b, :missing_module, :missing, [1]) end)
      assert [{:DOWN, ^ref, :process, ^pid, {:undef, [{:missing_module, :missing, [1], []}]}}] = log
    end)
  end

  defp restarted(restart \\ fn -> :ok end) do
    Cluster.start_nodes([:a, :b])
    old = recorder(:b, fn -> Process.register(self(), :target) end)
    Cluster.crash_node(:b)
    settle()
    assert lists([:a]) == [[]]
    restart.()
    Cluster.start_node(:b)
    new = recorder(:b, fn -> Process.register(self(), :target) end)
    {old, new}
  end

  test "R-C1 an old pid is none of the new ones, though of the same node" do
    run(fn ->
      {old, new} = restarted()
      assert node(old) == :b and node(new) == :b
      refute old == new
      assert Cluster.run(:b, fn -> old in Process.list() end) == false
    end)
  end

  test "R-C1 what is sent to it is dropped" do
    run(fn ->
      {old, new} = restarted()
      recorder = recorder(:a)
      assert tell(recorder, fn -> send(old, :lost) end) == :lost
      assert tell(recorder, fn -> send({:target, :b}, :arrives) end) == :arrives
      settle()
      assert log(new) == [:arrives]
      assert lists([:a]) == [[:b]]
    end)
  end

  test "R-C1 monitor and link say noproc" do
    run(fn ->
      {old, _new} = restarted()
      recorder = recorder(:a)
      ref = tell(recorder, fn -> Process.monitor(old) end)
      settle()
      assert tell(recorder, fn -> Process.link(old) end) == true
      settle()
      assert log(recorder) == [{:DOWN, ref, :process, old, :noproc}, {:EXIT, old, :noproc}]
    end)
  end

  test "R-C1 on its own node it is dead" do
    run(fn ->
      {old, _new} = restarted()

      assert Cluster.run(:b, fn ->
               ref = Process.monitor(old)
               down = receive(do: (message -> message))

               {Process.alive?(old), Process.info(old), catch_error(Process.link(old)), Process.exit(old, :kill),
                send(old, :hello), down == {:DOWN, ref, :process, old, :noproc}}
             end) == {false, nil, :noproc, true, :hello, true}
    end)
  end

  test "R-C1 it is as the pid of another node to what is only for one's own" do
    run(fn ->
      {old, _new} = restarted()
      table = fn -> :ets.new(:table, []) end

      operations = [
        register: fn -> :erlang.register(:old, old) end,
        send_after: fn -> :erlang.send_after(1, old, 1) end,
        start_timer: fn -> :erlang.start_timer(1, old, 1) end,
        group_leader: fn -> :erlang.group_leader(Process.group_leader(), old) end,
        suspend: fn -> :erlang.suspend_process(old) end,
        flag: fn -> :erlang.process_flag(old, :save_calls, 0) end,
        give_away: fn -> :ets.give_away(table.(), old, nil) end,
        heir: fn -> :ets.new(:table, [{:heir, old, nil}]) end,
        setopts: fn -> :ets.setopts(table.(), {:heir, old, nil}) end
      ]

      refused = Cluster.run(:b, fn -> for {name, operation} <- operations, do: {name, catch_error(operation.())} end)
      assert refused == for({name, _} <- operations, do: {name, :badarg})
      assert Cluster.run(:b, fn -> :erlang.garbage_collect(old) end) == false
    end)
  end

  test "R-C1 a link or monitor of the old process is no tie to the new one" do
    run(fn ->
      Cluster.start_nodes([:a, :b])
      old = recorder(:b)
      recorder = recorder(:a, fn -> Process.link(old) && Process.monitor(old) end)
      settle()
      Cluster.crash_node(:b)
      Cluster.start_node(:b)
      settle()
      new = recorder(:b)
      assert [{:EXIT, ^old, :noconnection}, {:DOWN, _, :process, ^old, :noconnection}] = log(recorder)
      tell(recorder, fn -> Process.exit(old, :kill) end)
      settle()
      assert Cluster.run(:b, fn -> Process.alive?(new) end)
      assert length(log(recorder)) == 2
    end)
  end
end
