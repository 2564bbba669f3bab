defmodule Oracle.Scenarios.Calls do
  @moduledoc false
  # 3.6: what calls to other nodes come to.
  use Oracle.Scenario

  alias Oracle.Work

  scenario "R-CALL rpc:call", world do
    [a, b] = World.cluster(world, 2)
    outcomes(world, a, fn node, function, args, timeout -> :rpc.call(node, Work, function, args, timeout) end, b)
  end

  scenario "R-CALL erpc:call", world do
    [a, b] = World.cluster(world, 2)
    outcomes(world, a, fn node, function, args, timeout -> :erpc.call(node, Work, function, args, timeout) end, b)
  end

  defp outcomes(world, a, call, b) do
    works = [
      value: {b, :value, [1], 5_000},
      nobody: {World.name(4), :value, [1], 5_000},
      slow: {b, :slow, [2_000], 200},
      error: {b, :error, [:x], 5_000},
      exit: {b, :exit, [:x], 5_000},
      throw: {b, :throw, [:x], 5_000},
      killed: {b, :killed, [], 5_000}
    ]

    for {name, {node, function, args, timeout}} <- works do
      {name, without_stack(World.outcome(world, a, fn -> call.(node, function, args, timeout) end))}
    end
  end

  # Frames of the caller and of the called differ between releases.
  defp without_stack({:ok, {:badrpc, {:EXIT, {reason, [_ | _]}}}}), do: {:ok, {:badrpc, {:EXIT, {reason, :stack}}}}
  defp without_stack(outcome), do: outcome

  scenario "R-CALL erpc:call that times out goes on", world do
    [a, b] = World.cluster(world, 2)
    recorder = World.recorder(world, b)
    outcome = World.outcome(world, a, fn -> :erpc.call(b, Work, :slow_send, [500, recorder], 200) end)
    {outcome, World.log(world, recorder, 1)}
  end

  scenario "R-CALL rpc:call while the connection is lost", world do
    lost(world, fn b -> :rpc.call(b, Work, :slow, [20_000]) end)
  end

  scenario "R-CALL erpc:call while the connection is lost", world do
    lost(world, fn b -> :erpc.call(b, Work, :slow, [20_000]) end)
  end

  scenario "R-CALL gen_server:call while the connection is lost", world do
    lost(world, fn b -> GenServer.call({:server, b}, {:sleep, 20_000}, 30_000) end)
  end

  scenario "R-CALL multi_call while a connection is lost", world do
    lost(world, fn b -> GenServer.multi_call([node(), b], :server, {:sleep, 1_500}, 30_000) end)
  end

  defp lost(world, call) do
    [a, b] = World.cluster(world, 2)
    for node <- [a, b], do: World.call(world, node, fn -> {:ok, _} = Oracle.Server.start(:server) end)
    task = Task.async(fn -> World.outcome(world, a, fn -> call.(b) end) end)
    World.sleep(world, 500)
    World.call(world, b, fn -> Node.disconnect(a) end)
    Task.await(task, 60_000)
  end

  scenario "R-CALL rpc:multicall", world do
    [a, b] = World.cluster(world, 2)
    nodes = [a, World.name(4), b]
    all = World.call(world, a, fn -> :rpc.multicall(nodes, :erlang, :node, [], 5_000) end)
    {results, bad} = World.call(world, a, fn -> :rpc.multicall([a, b], Work, :error, [:x], 5_000) end)
    {all, Enum.map(results, &without_stack({:ok, &1})), bad}
  end

  scenario "R-CALL erpc:multicall", world do
    [a, b] = World.cluster(world, 2)
    nodes = [a, World.name(4), b]
    all = World.call(world, a, fn -> :erpc.multicall(nodes, :erlang, :node, [], 5_000) end)
    exits = World.call(world, a, fn -> :erpc.multicall([a, b], Work, :exit, [:x], 5_000) end)
    slow = World.call(world, a, fn -> :erpc.multicall([b], Work, :slow, [2_000], 200) end)
    {all, exits, slow}
  end

  scenario "R-CALL gen_server:call", world do
    [a, b] = World.cluster(world, 2)
    for node <- [a, b], do: World.call(world, node, fn -> {:ok, _} = Oracle.Server.start(:server) end)
    pid = World.call(world, b, fn -> Process.whereis(:server) end)

    calls = [
      value: fn -> GenServer.call({:server, b}, :node) end,
      value_of_pid: fn -> GenServer.call(pid, :node) end,
      unreachable: fn -> GenServer.call({:server, World.name(4)}, :node) end,
      no_process: fn -> GenServer.call({:nobody, b}, :node) end,
      timeout: fn -> GenServer.call({:server, b}, {:sleep, 600}, 100) end,
      late: fn -> Process.sleep(1_000) && Outcome.flush() end,
      crash: fn -> GenServer.call({:server, b}, {:exit, :crash}) end,
      dead_pid: fn -> GenServer.call(pid, :node) end,
      cast_nobody: fn -> GenServer.cast({:nobody, b}, :hello) end,
      cast_unreachable: fn -> GenServer.cast({:server, World.name(4)}, :hello) end,
      abcast: fn -> GenServer.abcast([a, b, World.name(4)], :nobody, :hello) end,
      whereis: fn -> {GenServer.whereis({:server, b}), GenServer.whereis({:nobody, node()})} end
    ]

    recorder = World.recorder(world, a)
    for {name, call} <- calls, do: {name, World.attempt(world, recorder, call)}
  end

  scenario "R-CALL gen_server:call of a node that halts", world do
    [a, b] = World.cluster(world, 2)
    World.call(world, b, fn -> {:ok, _} = Oracle.Server.start(:server) end)

    task =
      Task.async(fn -> World.outcome(world, a, fn -> GenServer.call({:server, b}, {:sleep, 20_000}, 30_000) end) end)

    World.sleep(world, 500)
    World.kill(world, b)
    Task.await(task, 60_000)
  end

  scenario "R-CALL send_request", world do
    [a, b] = World.cluster(world, 2)
    for node <- [a, b], do: World.call(world, node, fn -> {:ok, _} = Oracle.Server.start(:server) end)

    World.call(world, a, fn ->
      for node <- [b, World.name(4)], name <- [:server, :nobody] do
        request = :gen_server.send_request({name, node}, :node)
        :gen_server.receive_response(request, 5_000)
      end
    end)
  end

  scenario "R-CALL multi_call", world do
    [a, b, c] = World.cluster(world, 3)
    for node <- [a, b], do: World.call(world, node, fn -> {:ok, _} = Oracle.Server.start(:server) end)

    World.call(world, a, fn ->
      {replies, bad} = GenServer.multi_call([a, b, c, World.name(4)], :server, :node, 1_000)
      {Enum.sort(replies), Enum.sort(bad)}
    end)
  end

  scenario "R-CALL multi_call that times out", world do
    [a, b] = World.cluster(world, 2)
    World.call(world, b, fn -> {:ok, _} = Oracle.Server.start(:server) end)

    {answer, took} =
      World.timed(world, fn ->
        World.call(world, a, fn -> {GenServer.multi_call([b], :server, {:sleep, 2_000}, 500), Outcome.flush()} end)
      end)

    {answer, took in 450..1_500}
  end

  scenario "R-CALL Task on another node", world do
    [a, b] = World.cluster(world, 2)
    World.call(world, b, fn -> supervisor() end)
    unreachable = World.name(4)

    calls = [
      value: fn -> Task.await(Task.Supervisor.async({:tasks, b}, Work, :value, [1])) end,
      crash: fn -> Task.await(Task.Supervisor.async_nolink({:tasks, b}, Work, :exit, [:x])) end,
      yield_crash: fn -> Task.yield(Task.Supervisor.async_nolink({:tasks, b}, Work, :exit, [:x])) end,
      unreachable: fn -> Task.Supervisor.async_nolink({:tasks, unreachable}, Work, :value, [1]) end,
      no_supervisor: fn -> Task.Supervisor.async_nolink({:nobody, b}, Work, :value, [1]) end,
      start_child: fn -> elem(Task.Supervisor.start_child({:tasks, b}, Work, :value, [1]), 0) end
    ]

    for {name, call} <- calls, do: {name, World.outcome(world, a, call)}
  end

  defp supervisor do
    caller = self()

    spawn(fn ->
      {:ok, _} = Task.Supervisor.start_link(name: :tasks)
      send(caller, :started)
      Process.sleep(:infinity)
    end)

    receive do: (:started -> :ok)
  end

  scenario "R-CALL Task.await while the connection is lost", world do
    [a, b] = World.cluster(world, 2)
    World.call(world, b, fn -> supervisor() end)

    calls = [
      fn -> Task.await(Task.Supervisor.async_nolink({:tasks, b}, Work, :slow, [20_000]), 30_000) end,
      fn -> Task.yield(Task.Supervisor.async_nolink({:tasks, b}, Work, :slow, [20_000]), 30_000) end
    ]

    tasks = for call <- calls, do: Task.async(fn -> World.outcome(world, a, call) end)
    World.sleep(world, 500)
    World.call(world, b, fn -> Node.disconnect(a) end)
    Task.await_many(tasks, 60_000)
  end

  scenario "R-CALL rpc:sbcast", world do
    [a, b] = World.cluster(world, 2)
    recorder = World.recorder(world, b, :target, [])
    answer = World.call(world, a, fn -> :rpc.sbcast([a, b, World.name(4)], :target, :hello) end)
    {answer, World.log(world, recorder, 1)}
  end
end
