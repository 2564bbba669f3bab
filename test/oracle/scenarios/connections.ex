defmodule Oracle.Scenarios.Connections do
  @moduledoc false
  # 3.2: how connections come to be, and who may.
  use Oracle.Scenario

  scenario "R-CON1 what connects by itself", world do
    [a, b] = World.cluster(world, 2, connect_all: false)
    {:ok, server} = World.call(world, b, fn -> Oracle.Server.start(:server) end)

    for {name, operation} <- operations(b, server) do
      World.disconnect(world, a, b)
      World.outcome(world, a, operation)
      {name, World.await(world, fn -> World.nodes(world, a) == [b] and World.nodes(world, b) == [a] end, 3000)}
    end
  end

  defp operations(b, server) do
    [
      send: fn -> send(server, :hello) end,
      send_to_name: fn -> send({:server, b}, :hello) end,
      monitor: fn -> Process.monitor(server) end,
      monitor_name: fn -> Process.monitor({:server, b}) end,
      link: fn -> Process.link(server) && Process.sleep(500) end,
      exit: fn -> Process.exit(server, :normal) end,
      spawn: fn -> Node.spawn(b, fn -> :ok end) end,
      monitor_node: fn -> Node.monitor(b, true) && Process.sleep(500) end,
      ping: fn -> Node.ping(b) end,
      rpc: fn -> :rpc.call(b, :erlang, :node, []) end,
      erpc: fn -> :erpc.call(b, :erlang, :node, []) end,
      call: fn -> GenServer.call({:server, b}, :node) end,
      cast: fn -> GenServer.cast(server, :nothing) end
    ]
  end

  scenario "R-CON1 what does not connect", world do
    [a, b] = World.cluster(world, 2)
    {:ok, server} = World.call(world, b, fn -> Oracle.Server.start(:server) end)

    operations = [
      node: fn -> node(server) end,
      nodes: fn -> Node.list(:known) end,
      demonitor: fn -> Node.monitor(b, false) end,
      noconnect: fn -> Process.send(server, :hello, [:noconnect]) end,
      disconnect: fn -> Node.disconnect(b) end
    ]

    for {name, operation} <- operations do
      World.disconnect(world, a, b)
      World.outcome(world, a, operation)
      World.settle(world)
      {name, World.nodes(world, a)}
    end
  end

  scenario "R-CON2 signals wait for the connection, in order", world do
    [a, b] = World.cluster(world, 2)
    recorder = World.recorder(world, b)
    World.tell(world, recorder, fn -> :net_kernel.monitor_nodes(true) end)
    World.disconnect(world, a, b)
    World.delay_both(world, a, b, 100)

    {list, took} =
      World.timed(world, fn ->
        World.call(world, a, fn ->
          for n <- 1..100, do: send(recorder, n)
          Node.list()
        end)
      end)

    [{:nodedown, _} | log] = World.log(world, recorder, 102)
    {list, took < 200, log == [{:nodeup, a} | Enum.to_list(1..100)]}
  end

  scenario "R-CON2 what waited is dropped when the connection fails", world do
    [a, b] = World.cluster(world, 2)
    target = World.recorder(world, b)
    World.disconnect(world, a, b)
    World.refuse(world, a, b)
    recorder = World.recorder(world, a)

    World.tell(world, recorder, fn ->
      for n <- 1..10, do: send(target, n)
      {Process.monitor(target), Process.link(target)}
    end)

    seen = World.log(world, recorder, 2)
    World.heal(world, a, b)
    World.call(world, a, fn -> send(target, :after) end)
    {Enum.sort(seen), World.log(world, target, 1)}
  end

  scenario "R-CON3 a connection that is refused", world do
    [a, b] = World.start(world, 2)
    World.refuse(world, a, b)
    {answer, took} = World.timed(world, fn -> World.call(world, a, fn -> :net_kernel.connect_node(b) end) end)
    {answer, took < 1000}
  end

  scenario "R-CON3 a connection that vanishes", world do
    [a, b] = World.cluster(world, 2)
    target = World.recorder(world, b)
    World.disconnect(world, a, b)
    World.black_hole(world, a, b)

    tries = [
      fn -> :net_kernel.connect_node(b) end,
      fn -> :rpc.call(b, :erlang, :node, []) end,
      fn -> Process.monitor(target) && receive(do: ({:DOWN, _, _, _, why} -> why)) end
    ]

    [connect, rpc, monitor] =
      tries
      |> Enum.map(fn try -> Task.async(fn -> World.timed(world, fn -> World.call(world, a, try) end) end) end)
      |> Task.await_many(30_000)

    for {answer, took} <- [connect, rpc, monitor], do: {answer, took in 6_500..8_500}
  end

  scenario "R-CON4 nothing reconnects by itself", world do
    [a, b] = World.cluster(world, 2, ticktime: 2)
    target = World.recorder(world, b)
    World.cut(world, a, b)
    World.await(world, fn -> World.nodes(world, a) == [] and World.nodes(world, b) == [] end)
    World.heal(world, a, b)
    World.sleep(world, 2_000)
    alone = {World.nodes(world, a), World.nodes(world, b)}
    World.call(world, a, fn -> send(target, :hello) end)
    log = World.log(world, target, 1)
    {alone, log, World.nodes(world, a), World.nodes(world, b)}
  end

  scenario "R-CON5 return values", world do
    [a, b] = World.start(world, 2, connect_all: false)
    unknown = World.name(4)

    World.call(world, a, fn ->
      [
        connect: Node.connect(b),
        again: Node.connect(b),
        itself: Node.connect(node()),
        unknown: Node.connect(unknown),
        disconnect: Node.disconnect(b),
        disconnect_again: Node.disconnect(b),
        disconnect_itself: Node.disconnect(node()),
        disconnect_unknown: Node.disconnect(unknown),
        ping: Node.ping(b),
        ping_itself: Node.ping(node()),
        ping_unknown: Node.ping(unknown)
      ]
    end)
  end

  scenario "R-CON6 disconnecting is done when it returns", world do
    [a, b] = World.cluster(world, 2, connect_all: false)
    target = World.recorder(world, b)
    recorder = World.recorder(world, a)

    for _ <- 1..4 do
      World.tell(world, recorder, fn ->
        Process.link(target)
        Process.monitor(target)
        Node.monitor(b, true)
        disconnected = Node.disconnect(b)
        seen = {disconnected, Node.list(), Enum.map(Outcome.flush(), &elem(&1, 0))}
        {seen, Node.connect(b), Node.list()}
      end)
    end
  end

  scenario "R-CON7 options of send", world do
    [a, b] = World.cluster(world, 2)
    target = World.recorder(world, b)
    World.disconnect(world, a, b)

    answers =
      World.call(world, a, fn ->
        one = :erlang.send(target, :dropped, [:noconnect])
        list = Node.list()
        two = :erlang.send(target, :arrives, [:nosuspend])
        {one, list, two}
      end)

    {answers, World.log(world, target, 1)}
  end

  scenario "R-CON8 never connecting by itself", world do
    [a] = World.start(world, 1, auto_connect: :never)
    [b] = World.start(world, [World.name(2)])
    target = World.recorder(world, b)
    recorder = World.recorder(world, a)

    before =
      World.tell(world, recorder, fn ->
        send(target, :dropped)
        pinged = Node.ping(b)
        Process.monitor(target)
        {pinged, Node.list()}
      end)

    log = World.log(world, recorder, 1)
    connected = World.tell(world, recorder, fn -> {Node.connect(b), send(target, :arrives)} end)
    {before, log, connected, World.log(world, target, 1)}
  end

  scenario "R-CON8 connecting once by itself", world do
    [a] = World.start(world, 1, auto_connect: :once)
    [b] = World.start(world, [World.name(2)])
    target = World.recorder(world, b)
    World.call(world, a, fn -> send(target, :arrives) end)
    first = World.log(world, target, 1)
    World.disconnect(world, a, b)

    answers =
      World.call(world, a, fn ->
        send(target, :dropped)
        pinged = Node.ping(b)
        list = Node.list()
        {pinged, list, Node.connect(b), send(target, :connected)}
      end)

    {first, answers, World.log(world, target, 2)}
  end

  scenario "R-CON9 different cookies", world do
    [a] = World.start(world, 1, cookie: :red)
    [b] = World.start(world, [World.name(2)], cookie: :blue)

    {answer, took} = World.timed(world, fn -> World.call(world, a, fn -> Node.connect(b) end) end)
    {answer, took < 1000, World.nodes(world, a), World.nodes(world, b)}
  end

  scenario "R-CON9 a cookie that changes does not cut a connection", world do
    [a, b] = World.cluster(world, 2)
    target = World.recorder(world, b)
    World.call(world, a, fn -> :erlang.set_cookie(:another) end)
    World.call(world, a, fn -> send(target, :arrives) end)
    log = World.log(world, target, 1)
    list = World.nodes(world, a)
    World.disconnect(world, a, b)
    {log, list, World.call(world, a, fn -> Node.connect(b) end)}
  end

  scenario "R-CON10 nodes that are not allowed", world do
    [a, b, c] = World.start(world, 3, connect_all: false)

    World.call(world, a, fn ->
      allowed = :net_kernel.allow([c])
      {allowed, Node.connect(b), Node.connect(c), Node.ping(b), Node.list()}
    end)
  end

  scenario "R-CON11 a connection that is dead for good is taken over", world,
    simulated: false,
    because: "the simulation cuts ways, and with them every connection on them" do
    taken_over(world, &World.freeze/3, fn _world, _a, _b -> :ok end)
  end

  # Whether one learns of the end of the old connection or of the new one first is open.
  scenario "R-CON11 a cut that ends when one side has noticed it", world, compare: :closed_or_taken_over do
    taken_over(world, &World.cut/3, &World.heal/3)
  end

  # One side has given up the connection, and connects anew before the other has.
  defp taken_over(world, cut, heal) do
    [a] = World.start(world, 1, ticktime: 60)
    [b] = World.start(world, [World.name(2)], ticktime: 2)
    World.connect(world, [a, b])
    target = World.recorder(world, b)
    recorder = World.recorder(world, a)

    World.tell(world, recorder, fn ->
      :net_kernel.monitor_nodes(true, [:nodedown_reason])
      {Process.link(target), Process.monitor(target)}
    end)

    cut.(world, a, b)
    World.call(world, a, fn -> send(target, :lost) end)
    World.await(world, fn -> World.nodes(world, b) == [] end)
    before = {World.nodes(world, a), World.log(world, recorder)}
    heal.(world, a, b)
    World.call(world, b, fn -> send(recorder, :hello) end)
    {before, World.log(world, recorder, 5), for(:lost <- World.log(world, target), do: :lost)}
  end

  def closed_or_taken_over({{[:n2], []}, log, []}) do
    [exit, down, {:nodedown, :n2, [nodedown_reason: reason]} | rest] = log

    exit == {:EXIT, {:pid, :n2}, :noconnection} and
      down == {:DOWN, :reference, :process, {:pid, :n2}, :noconnection} and
      reason in [:wait_pending, :connection_closed] and rest == [{:nodeup, :n2, []}, :hello]
  end

  def closed_or_taken_over(_other), do: false

  scenario "R-CON12 both connect at the same time", world do
    [a, b] = World.start(world, 2, connect_all: false)
    World.delay_both(world, a, b, 30)

    for _ <- 1..5 do
      recorders = for node <- [a, b], do: World.recorder(world, node)
      for recorder <- recorders, do: World.tell(world, recorder, fn -> :net_kernel.monitor_nodes(true) end)

      answers =
        [{a, b}, {b, a}]
        |> Enum.map(fn {from, to} -> Task.async(fn -> World.call(world, from, fn -> Node.connect(to) end) end) end)
        |> Task.await_many(30_000)

      logs = for recorder <- recorders, do: World.log(world, recorder, 1)
      World.disconnect(world, a, b)
      {answers, logs}
    end
  end

  scenario "R-CON13 who connects to one connects to all", world do
    [a, b, c] = World.start(world, 3)
    World.call(world, a, fn -> {Node.connect(b), Node.connect(c)} end)
    complete = World.await(world, fn -> Enum.all?([a, b, c], &(length(World.nodes(world, &1)) == 2)) end)
    complete
  end

  scenario "R-CON13 connect_all false: no mesh", world do
    [a, b, c] = World.start(world, 3, connect_all: false)
    World.call(world, a, fn -> {Node.connect(b), Node.connect(c)} end)
    World.sleep(world, 1000)
    for node <- [a, b, c], do: World.nodes(world, node)
  end

  scenario "R-CON14 a hidden node", world do
    [a, b] = World.cluster(world, 2)
    [hidden] = World.start(world, [World.name(3)], hidden: true)
    plain = World.recorder(world, a)
    all = World.recorder(world, a)
    World.tell(world, plain, fn -> :net_kernel.monitor_nodes(true) end)
    World.tell(world, all, fn -> :net_kernel.monitor_nodes(true, node_type: :all) end)
    connected = World.call(world, hidden, fn -> Node.connect(a) end)
    World.await(world, fn -> World.call(world, a, fn -> Node.list(:hidden) end) == [hidden] end)
    World.sleep(world, 500)

    lists =
      for node <- [a, b, hidden] do
        World.call(world, node, fn -> for kind <- [:visible, :hidden, :connected], do: Enum.sort(Node.list(kind)) end)
      end

    World.disconnect_hidden(world, hidden, a)
    {connected, lists, World.log(world, plain), World.log(world, all, 2)}
  end

  scenario "R-CON15 known nodes", world do
    [a, b] = World.cluster(world, 2)
    World.disconnect(world, a, b)
    known = World.call(world, a, fn -> Node.list(:known) end)
    # Not said of the control node, which is the world's own.
    Enum.map([a, b], &(&1 in known))
  end
end
