defmodule Oracle.Scenarios.Processes do
  @moduledoc false
  # 3.5: processes that are started on other nodes, nodes that are started again, what works only at home.
  use Oracle.Scenario

  scenario "R-SPN1 starting processes on a node that cannot be reached", world do
    [a] = World.start(world, 1)
    unreachable = World.name(4)
    sleep = fn -> Process.sleep(:infinity) end

    kinds = [
      spawn: fn -> node(Node.spawn(unreachable, sleep)) end,
      spawn_link: fn -> node(Node.spawn_link(unreachable, sleep)) end,
      spawn_monitor: fn -> match?({_, _}, :erlang.spawn_monitor(unreachable, sleep)) end,
      spawn_both: fn -> match?({_, _}, :erlang.spawn_opt(unreachable, sleep, [:link, :monitor])) end,
      spawn_request: fn -> is_reference(:erlang.spawn_request(unreachable, sleep, [:link, :monitor])) end
    ]

    for {name, kind} <- kinds do
      recorder = World.recorder(world, a)
      answer = World.tell(world, recorder, kind)
      World.settle(world)
      {name, answer, Enum.sort(World.log(world, recorder))}
    end
  end

  scenario "R-SPN2 requests to start processes", world do
    [a, b] = World.cluster(world, 2)
    work = fn -> exit(:done) end

    kinds = [
      monitored: fn -> :erlang.spawn_request(b, work, [:monitor]) end,
      tagged: fn -> :erlang.spawn_request(b, work, [:monitor, reply_tag: :my_tag]) end,
      silent: fn -> :erlang.spawn_request(b, work, reply: :no) end,
      only_errors: fn -> :erlang.spawn_request(b, work, reply: :error_only) end,
      bad: fn -> :erlang.spawn_request(b, work, [:nonsense]) end
    ]

    for {name, kind} <- kinds do
      recorder = World.recorder(world, a)
      answer = World.attempt(world, recorder, kind)
      World.settle(world)
      {name, answer, World.log(world, recorder)}
    end
  end

  scenario "R-SPN2 the reply and the end have the same reference", world do
    [a, b] = World.cluster(world, 2)
    recorder = World.recorder(world, a)
    request = World.tell(world, recorder, fn -> :erlang.spawn_request(b, fn -> exit(:done) end, [:monitor]) end)

    case World.log(world, recorder, 2) do
      [{:spawn_reply, ^request, :ok, pid}, {:DOWN, ^request, :process, pid, :done}] -> :same
      other -> other
    end
  end

  scenario "R-SPN3 group leader and missing functions", world do
    [a, b] = World.cluster(world, 2)
    recorder = World.recorder(world, a)

    leaders =
      World.tell(world, recorder, fn ->
        self = self()
        Node.spawn(b, fn -> send(self, {:leader, Process.group_leader()}) end)
        receive do: ({:leader, leader} -> leader == Process.group_leader())
      end)

    World.tell(world, recorder, fn -> :erlang.spawn_monitor(b, :missing_module, :missing, []) end)
    [{:DOWN, _, :process, _, {reason, [{module, function, args, _} | _]}}] = World.log(world, recorder, 1)
    {leaders, reason, {module, function, args}}
  end

  scenario "R-C1 a node that was started again", world do
    [a, b] = World.cluster(world, 2)
    old = World.recorder(world, b, :target, [])
    World.kill(world, b)
    World.await(world, fn -> World.nodes(world, a) == [] end)
    World.start(world, [b])
    new = World.recorder(world, b, :target, [])
    recorder = World.recorder(world, a)
    sent = World.tell(world, recorder, fn -> send(old, :lost) && Process.monitor(old) && Process.link(old) end)
    log = Enum.sort(World.log(world, recorder, 2))
    World.tell(world, recorder, fn -> send({:target, b}, :arrives) end)

    {sent, log, World.nodes(world, a), World.log(world, new, 1), old == new, node(old) == node(new),
     World.outcome(world, b, fn -> Process.alive?(old) end), World.outcome(world, b, fn -> Process.link(old) end)}
  end

  scenario "R-LOC what works only at home", world do
    [a, b] = World.cluster(world, 2)
    remote = World.recorder(world, b)
    table = World.tell(world, remote, fn -> :ets.new(:table, [:public]) end)

    operations = [
      alive: fn -> Process.alive?(remote) end,
      info: fn -> :erlang.process_info(remote) end,
      info_item: fn -> :erlang.process_info(remote, :links) end,
      register: fn -> :erlang.register(:remote, remote) end,
      send_after: fn -> :erlang.send_after(1, remote, :hello) end,
      send_after_name: fn -> :erlang.send_after(1, {:name, b}, :hello) end,
      start_timer: fn -> :erlang.start_timer(1, remote, :hello) end,
      give_away: fn -> :ets.give_away(:ets.new(:mine, []), remote, nil) end,
      heir: fn -> :ets.new(:mine, [{:heir, remote, nil}]) end,
      suspend: fn -> :erlang.suspend_process(remote) end,
      garbage_collect: fn -> :erlang.garbage_collect(remote) end,
      process_flag: fn -> :erlang.process_flag(remote, :save_calls, 0) end,
      table: fn -> :ets.lookup(table, :key) end,
      table_info: fn -> :ets.info(table) end,
      group_leader: fn -> :erlang.group_leader(Process.group_leader(), remote) end,
      link: fn -> Process.link(remote) end,
      unlink: fn -> Process.unlink(remote) end,
      exit: fn -> Process.exit(remote, :normal) end,
      send: fn -> send(remote, :hello) end
    ]

    for {name, operation} <- operations, do: {name, World.outcome(world, a, operation)}
  end

  scenario "R-NA a VM that is no node", world, simulated: false, because: "the control node reaches every node" do
    [b] = World.start(world, [World.name(2)])
    World.start(world, [:nonode@nohost])
    target = World.recorder(world, b, :target, [])

    operations = [
      connect: fn -> Node.connect(b) end,
      disconnect: fn -> Node.disconnect(b) end,
      ping: fn -> Node.ping(b) end,
      monitor_node: fn -> Node.monitor(b, true) end,
      monitor: fn -> Process.monitor({:target, b}) end,
      send: fn -> send({:target, b}, :dropped) end,
      rpc: fn -> :rpc.call(b, :erlang, :node, []) end,
      alive: fn -> {Node.alive?(), node(), Node.list()} end
    ]

    outcomes = for {name, operation} <- operations, do: {name, World.outcome(world, :nonode@nohost, operation)}
    {outcomes, World.log(world, target)}
  end
end
