defmodule Oracle.Scenarios.Order do
  @moduledoc false
  # 3.1: the order of signals, and what is lost.
  use Oracle.Scenario

  scenario "R-ORD1 signals of a pair arrive in order", world do
    [a, b] = World.cluster(world, 2)
    recorder = World.recorder(world, a)

    sender =
      World.call(world, b, fn ->
        spawn(fn ->
          receive do: (:go -> for(n <- 1..100, do: send(recorder, n)))
          exit(:fin)
        end)
      end)

    World.tell(world, recorder, fn -> {Process.link(sender), Process.monitor(sender), send(sender, :go)} end)
    {numbers, ends} = world |> World.log(recorder, 102) |> Enum.split(100)
    {numbers == Enum.to_list(1..100), Enum.sort(ends)}
  end

  scenario "R-ORD2 no causal order between nodes", world do
    [a, b, c] = World.cluster(world, 3)
    recorder = World.recorder(world, b)
    helper = World.call(world, c, fn -> spawn(fn -> receive do: (:now -> send(recorder, :second)) end) end)
    World.delay(world, a, b, 400)

    World.call(world, a, fn ->
      send(recorder, :first)
      send(helper, :now)
    end)

    World.log(world, recorder, 2)
  end

  # Numbers go on and on through a connection on which everything takes its time, so that it is lost with some of them.
  scenario "R-ORD4 one gap for each connection that is lost", world do
    [a, b] = World.cluster(world, 2)
    recorder = World.recorder(world, a)
    World.tell(world, recorder, fn -> :net_kernel.monitor_nodes(true) end)
    World.delay(world, b, a, 50)
    World.spawn(world, b, fn -> stream(recorder, 1, 150) end)
    World.await(world, fn -> length(World.log(world, recorder)) >= 30 end)
    World.call(world, a, fn -> Node.disconnect(b) end)
    World.await(world, fn -> {:done, 150} in World.log(world, recorder) end)
    log = World.log(world, recorder)
    numbers = Enum.filter(log, &is_integer/1)
    events = for {event, node} when event in [:nodeup, :nodedown] <- log, do: {event, node}

    {numbers == Enum.sort(numbers), numbers == Enum.uniq(numbers), gaps(numbers), events}
  end

  defp stream(to, number, last) when number > last, do: send(to, {:done, last})

  defp stream(to, number, last) do
    send(to, number)
    Process.sleep(5)
    stream(to, number + 1, last)
  end

  defp gaps(numbers), do: numbers |> Enum.zip(tl(numbers)) |> Enum.count(fn {one, next} -> next != one + 1 end)

  scenario "R-ORD5 nodeup before the first message, nodedown after the last", world do
    [a, b] = World.cluster(world, 2)
    recorder = World.recorder(world, a)
    World.disconnect(world, a, b)
    World.tell(world, recorder, fn -> :net_kernel.monitor_nodes(true) end)
    World.spawn(world, b, fn -> stream(recorder, 1, 100) end)

    for _ <- 1..4 do
      World.await(world, fn -> b in World.nodes(world, a) end)
      World.sleep(world, 40)
      World.call(world, a, fn -> Node.disconnect(b) end)
    end

    World.await(world, fn -> {:done, 100} in World.log(world, recorder) end)
    log = World.log(world, recorder)
    ups = for {:nodeup, ^b} <- log, do: :up
    {between_events?(log, :down), length(ups) >= 4}
  end

  defp between_events?([], _state), do: true
  defp between_events?([{:nodeup, _} | rest], :down), do: between_events?(rest, :up)
  defp between_events?([{:nodedown, _} | rest], :up), do: between_events?(rest, :down)
  defp between_events?([{event, _} | _], _state) when event in [:nodeup, :nodedown], do: false
  defp between_events?([_message | rest], :up), do: between_events?(rest, :up)
  defp between_events?([_message | _], :down), do: false

  scenario "R-ORD6 the list of nodes is right when an event comes", world do
    [a, b] = World.start(world, 2)
    watcher = World.call(world, a, fn -> spawn(fn -> look(b) end) end)

    for _ <- 1..10 do
      World.call(world, a, fn -> Node.connect(b) end)
      World.settle(world)
      World.disconnect(world, a, b)
    end

    World.call(world, a, fn -> report(watcher) end)
  end

  defp look(node) do
    :net_kernel.monitor_nodes(true)
    look(node, [])
  end

  defp look(node, seen) do
    receive do
      {event, ^node} -> look(node, [{event, node in Node.list()} | seen])
      {:report, caller} -> send(caller, {:report, Enum.frequencies(seen)})
    end
  end

  defp report(watcher) do
    send(watcher, {:report, self()})
    receive do: ({:report, report} -> report), after: (5000 -> :no_report)
  end

  scenario "R-ORD7 what one process gets when a connection is lost", world do
    [a, b] = World.cluster(world, 2)
    recorder = World.recorder(world, a)
    [one, two, three] = for _ <- 1..3, do: World.recorder(world, b)

    World.tell(world, recorder, fn ->
      :net_kernel.monitor_nodes(true)
      Process.monitor(two)
      Process.link(one)
      :net_kernel.monitor_nodes(true, [:nodedown_reason])
      Process.monitor(three)
      Process.monitor(one)
      Process.link(two)
      for _ <- 1..2, do: Node.monitor(b, true)
    end)

    World.call(world, a, fn -> Node.disconnect(b) end)
    names = %{one => :one, two => :two, three => :three}

    for message <- World.log(world, recorder, 9) do
      case message do
        {:EXIT, pid, reason} -> {:EXIT, if(pid in [one, two], do: :linked), reason}
        {:DOWN, _, :process, pid, reason} -> {:DOWN, names[pid], reason}
        event -> event
      end
    end
  end

  # Each comes when it was asked for first.
  scenario "R-ORD7 monitors of processes and of their node, in several orders", world do
    orders = [[:pid, :node], [:node, :pid], [:node, :pid, :node], [:pid, :name, :pid], [:name, :node], [:node, :name]]

    for order <- orders do
      [a, b] = World.cluster(world, 2)
      target = World.recorder(world, b, :target, [])
      recorder = World.recorder(world, a)
      World.tell(world, recorder, fn -> for kind <- order, do: watch(kind, b, target) end)
      World.settle(world)
      World.disconnect(world, a, b)
      log = World.log(world, recorder, length(order))
      for node <- [a, b], do: World.kill(world, node)
      {order, Enum.map(log, &kind/1)}
    end
  end

  defp watch(:pid, _node, target), do: Process.monitor(target)
  defp watch(:name, node, _target), do: Process.monitor({:target, node})
  defp watch(:node, node, _target), do: Node.monitor(node, true)

  defp kind({:DOWN, _, :process, pid, :noconnection}) when is_pid(pid), do: :pid
  defp kind({:DOWN, _, :process, {:target, _}, :noconnection}), do: :name
  defp kind({:nodedown, _}), do: :node

  scenario "R-ORD8 what is lost comes before the next nodeup", world do
    [a, b] = World.cluster(world, 2)
    target = World.recorder(world, b)
    recorder = World.recorder(world, a)
    World.tell(world, recorder, fn -> :net_kernel.monitor_nodes(true) end)

    for _ <- 1..8 do
      World.tell(world, recorder, fn -> {Process.monitor(target), Node.monitor(b, true)} end)

      World.call(world, a, fn ->
        Node.disconnect(b)
        Node.connect(b)
      end)

      World.await(world, fn -> b in World.nodes(world, a) and a in World.nodes(world, b) end)
      World.settle(world)
    end

    log = World.log(world, recorder, 32)
    log |> Enum.chunk_every(4) |> Enum.map(fn chunk -> Enum.map(chunk, &elem(&1, 0)) end) |> Enum.frequencies()
  end

  scenario "R-ORD9 abrupt halt: a prefix arrives", world do
    {numbers, down} = death(world, &World.halt/2)
    {prefix?(numbers), down}
  end

  scenario "R-ORD9 kill: a prefix arrives", world do
    {numbers, down} = death(world, &World.kill/2)
    {prefix?(numbers), down}
  end

  scenario "R-ORD9 orderly stop: everything arrives", world do
    {numbers, down} = death(world, &World.stop/2)
    {numbers == Enum.to_list(1..200), down}
  end

  defp death(world, kind) do
    [a, b] = World.cluster(world, 2)
    recorder = World.recorder(world, a)
    World.tell(world, recorder, fn -> :net_kernel.monitor_nodes(true, [:nodedown_reason]) end)
    World.call(world, b, fn -> for n <- 1..200, do: send(recorder, n) end)
    kind.(world, b)
    World.await(world, fn -> b not in World.nodes(world, a) end)
    World.settle(world)
    {numbers, rest} = world |> World.log(recorder) |> Enum.split_while(&is_integer/1)
    {numbers, rest}
  end

  defp prefix?(numbers), do: numbers == Enum.take(1..200, length(numbers))

  scenario "R-ORD10 sends to nobody", world do
    [a, b] = World.cluster(world, 2)
    dead = World.call(world, b, fn -> spawn(fn -> :ok end) end)
    recorder = World.recorder(world, a)

    attempts = [
      fn -> send({:nobody, b}, :hello) end,
      fn -> send(dead, :hello) end,
      fn -> send({:nobody, node()}, :hello) end,
      fn -> :erlang.send(:nobody, :hello) end,
      fn -> send({:nobody, World.name(4)}, :hello) end
    ]

    outcomes = Enum.map(attempts, &World.attempt(world, recorder, &1))
    World.settle(world)
    {outcomes, World.log(world, recorder), World.nodes(world, a)}
  end
end
