Code.require_file("support.exs", __DIR__)

defmodule Distribution.CallsTest do
  @moduledoc """
  What calls to other nodes come to: the cells of the table of rules on simulated nodes, over many seeds. What real nodes do
  is in `test/oracle`.
  """
  use ExUnit.Case, async: true
  use Lockstep

  import Distribution.Support

  alias Lockstep.Cluster

  defmodule Server do
    use GenServer

    def start, do: GenServer.start_link(__MODULE__, nil, name: :server)
    def init(nil), do: {:ok, nil}
    def handle_call(:node, _from, state), do: {:reply, node(), state}
    def handle_call({:exit, reason}, _from, _state), do: exit(reason)
    def handle_call({:stop, reason}, _from, state), do: {:stop, reason, state}
    def handle_call({:sleep, time}, _from, state), do: {:reply, Process.sleep(time), state}
    def handle_cast({:tell, pid, message}, state), do: {:noreply, send(pid, message) && state}
  end

  defmodule Work do
    def value(value), do: value
    def slow(time), do: Process.sleep(time)
    def fail(:error), do: :erlang.error(:bad)
    def fail(:exit), do: exit(:bad)
    def fail(:throw), do: throw(:ball)
    def fail(:killed), do: Process.exit(self(), :kill)
    def late(pid, time), do: Process.sleep(time) && send(pid, {:ran, node()})
    def observed(pid), do: send(pid, {:ran, node()})
  end

  @nobody :nobody_there

  # What a call from `:a` to a server or a function of `:b` comes to.
  defp calling(fun) do
    Cluster.start_nodes([:a, :b], start: fn -> {:ok, _} = Server.start() end)
    Cluster.run(:a, fn -> caught(fun) end)
  end

  # The same, while the connection is lost.
  defp interrupted(fun, interrupt \\ fn -> Cluster.disconnect(:b, :a) end) do
    Cluster.start_nodes([:a, :b], start: fn -> {:ok, _} = Server.start() end)
    warm(:a)
    caller = recorder(:a)
    let(caller, fn -> caught(fun) end)
    Process.sleep(500)
    interrupt.()
    told(caller)
  end

  defp caught(fun) do
    fun.()
  catch
    kind, reason -> {kind, reason}
  end

  ## rpc

  test "R-CALL rpc:call" do
    run(fn -> assert calling(fn -> :rpc.call(:b, Work, :value, [1]) end) == 1 end, seeds: 1..50)

    run(fn -> assert calling(fn -> :rpc.call(@nobody, Work, :value, [1]) end) == {:badrpc, :nodedown} end,
      seeds: 1..50
    )

    run(fn -> assert calling(fn -> :rpc.call(:b, Work, :slow, [9_000], 500) end) == {:badrpc, :timeout} end,
      seeds: 1..50
    )

    run(fn -> assert calling(fn -> :rpc.call(:b, Work, :fail, [:exit]) end) == {:badrpc, {:EXIT, :bad}} end,
      seeds: 1..50
    )

    run(fn -> assert calling(fn -> :rpc.call(:b, Work, :fail, [:throw]) end) == :ball end, seeds: 1..50)

    run(fn -> assert calling(fn -> :rpc.call(:b, Work, :fail, [:killed]) end) == {:badrpc, {:EXIT, :killed}} end,
      seeds: 1..50
    )

    run(
      fn ->
        assert {:badrpc, {:EXIT, {:bad, [{Work, :fail, 1, _} | _]}}} =
                 calling(fn -> :rpc.call(:b, Work, :fail, [:error]) end)
      end,
      seeds: 1..50
    )

    run(
      fn ->
        assert {:badrpc, {:EXIT, {:undef, [{Work, :none, [], []} | _]}}} =
                 calling(fn -> :rpc.call(:b, Work, :none, []) end)
      end,
      seeds: 1..50
    )
  end

  test "R-CALL rpc:call while the connection is lost" do
    run(fn -> assert interrupted(fn -> :rpc.call(:b, Work, :slow, [20_000]) end) == {:badrpc, :nodedown} end,
      seeds: 1..50
    )

    run(
      fn ->
        crash = fn -> Cluster.crash_node(:b) end
        assert interrupted(fn -> :rpc.call(:b, Work, :slow, [20_000]) end, crash) == {:badrpc, :nodedown}
      end,
      seeds: 1..50
    )
  end

  test "R-CALL rpc:multicall" do
    nodes = [:a, @nobody, :b]

    run(fn -> assert calling(fn -> :rpc.multicall(nodes, Work, :value, [1]) end) == {[1, 1], [@nobody]} end,
      seeds: 1..50
    )

    exits = List.duplicate({:badrpc, {:EXIT, :bad}}, 2)

    run(fn -> assert calling(fn -> :rpc.multicall([:a, :b], Work, :fail, [:exit]) end) == {exits, []} end,
      seeds: 1..50
    )

    run(
      fn ->
        assert calling(fn -> :rpc.multicall([:b], Work, :slow, [9_000], 500) end) == {[], [:b]}
      end,
      seeds: 1..50
    )
  end

  test "R-CALL rpc: casts, async calls and sbcast" do
    run(
      fn ->
        Cluster.start_nodes([:a, :b])
        target = recorder(:b, fn -> Process.register(self(), :target) end)

        Cluster.run(:a, fn ->
          assert :rpc.cast(:b, Work, :observed, [target]) == true
          assert :rpc.cast(@nobody, Work, :observed, [target]) == true
          key = :rpc.async_call(:b, Work, :value, [1])
          assert :rpc.yield(key) == 1
          assert :rpc.sbcast([:a, :b, @nobody], :target, :hello) |> sorted() == {[:b], [:a, @nobody]}
          assert :rpc.abcast([:a, :b, @nobody], :target, :abcast) == :abcast
        end)

        settle()
        assert Enum.sort(log(target)) == Enum.sort([{:ran, :b}, :hello, :abcast])
      end,
      seeds: 1..50
    )
  end

  defp sorted({good, bad}), do: {Enum.sort(good), Enum.sort(bad)}

  ## erpc

  test "R-CALL erpc:call" do
    run(fn -> assert calling(fn -> :erpc.call(:b, Work, :value, [1]) end) == 1 end, seeds: 1..50)

    for {function, outcome} <- [
          exit: {:exit, {:exception, :bad}},
          throw: {:throw, :ball},
          killed: {:exit, {:signal, :killed}}
        ] do
      run(fn -> assert calling(fn -> :erpc.call(:b, Work, :fail, [function]) end) == outcome end, seeds: 1..50)
    end

    run(
      fn ->
        assert {:error, {:exception, :bad, [{Work, :fail, 1, _} | _]}} =
                 calling(fn -> :erpc.call(:b, Work, :fail, [:error]) end)
      end,
      seeds: 1..50
    )
  end

  test "R-CALL erpc:call of a node that is not there, or does not answer in time" do
    run(
      fn ->
        assert calling(fn -> :erpc.call(@nobody, Work, :value, [1]) end) == {:error, {:erpc, :noconnection}}
      end,
      seeds: 1..50
    )

    run(fn -> assert calling(fn -> :erpc.call(:b, Work, :slow, [9_000], 500) end) == {:error, {:erpc, :timeout}} end,
      seeds: 1..50
    )

    lost = {:error, {:erpc, :noconnection}}
    run(fn -> assert interrupted(fn -> :erpc.call(:b, Work, :slow, [20_000]) end) == lost end, seeds: 1..50)
  end

  test "R-CALL erpc:call that has timed out goes on on the other node" do
    run(
      fn ->
        Cluster.start_nodes([:a, :b])
        target = recorder(:a)
        caller = recorder(:a)

        assert tell(caller, fn -> caught(fn -> :erpc.call(:b, Work, :late, [target, 9_000], 500) end) end) ==
                 {:error, {:erpc, :timeout}}

        assert log(target) == []
        Process.sleep(20_000)
        assert log(target) == [{:ran, :b}]
        assert log(caller) == []
      end,
      seeds: 1..50
    )
  end

  test "R-CALL erpc:multicall" do
    run(
      fn ->
        assert calling(fn -> :erpc.multicall([:a, @nobody, :b], Work, :value, [1]) end) ==
                 [{:ok, 1}, {:error, {:erpc, :noconnection}}, {:ok, 1}]
      end,
      seeds: 1..50
    )

    run(
      fn ->
        assert calling(fn -> :erpc.multicall([:a, :b], Work, :fail, [:exit]) end) ==
                 [{:exit, {:exception, :bad}}, {:exit, {:exception, :bad}}]
      end,
      seeds: 1..50
    )

    run(
      fn ->
        assert calling(fn -> :erpc.multicall([:a, :b], Work, :fail, [:throw]) end) == [
                 {:throw, :ball},
                 {:throw, :ball}
               ]
      end,
      seeds: 1..50
    )

    run(
      fn ->
        assert calling(fn -> :erpc.multicall([:b], Work, :slow, [9_000], 500) end) == [{:error, {:erpc, :timeout}}]
      end,
      seeds: 1..50
    )
  end

  test "R-CALL erpc: requests and casts" do
    run(
      fn ->
        Cluster.start_nodes([:a, :b])
        target = recorder(:a)

        Cluster.run(:a, fn ->
          request = :erpc.send_request(:b, Work, :value, [1])
          assert :erpc.receive_response(request, 5_000) == 1
          request = :erpc.send_request(@nobody, Work, :value, [1])
          assert caught(fn -> :erpc.receive_response(request, 5_000) end) == {:error, {:erpc, :noconnection}}
          assert :erpc.cast(:b, Work, :observed, [target]) == :ok
          assert :erpc.cast(@nobody, Work, :observed, [target]) == :ok
          assert :erpc.multicast([:a, :b], Work, :observed, [target]) == :ok
        end)

        settle()
        assert Enum.sort(log(target)) == [{:ran, :a}, {:ran, :b}, {:ran, :b}]
      end,
      seeds: 1..50
    )
  end

  ## gen_server

  defp exit_of(reason, server, request, timeout \\ 5000),
    do: {:exit, {reason, {GenServer, :call, [server, request, timeout]}}}

  test "R-CALL GenServer.call" do
    run(fn -> assert calling(fn -> GenServer.call({:server, :b}, :node) end) == :b end, seeds: 1..50)

    run(
      fn ->
        assert calling(fn -> GenServer.call({:server, @nobody}, :node) end) ==
                 exit_of({:nodedown, @nobody}, {:server, @nobody}, :node)
      end,
      seeds: 1..50
    )

    run(
      fn -> assert calling(fn -> GenServer.call({:none, :b}, :node) end) == exit_of(:noproc, {:none, :b}, :node) end,
      seeds: 1..50
    )

    for request <- [{:exit, :crash}, {:stop, :crash}] do
      run(
        fn ->
          assert calling(fn -> GenServer.call({:server, :b}, request) end) == exit_of(:crash, {:server, :b}, request)
        end,
        seeds: 1..50
      )
    end
  end

  test "R-CALL GenServer.call by pid" do
    run(
      fn ->
        Cluster.start_nodes([:a, :b], start: fn -> {:ok, _} = Server.start() end)
        pid = Cluster.run(:b, fn -> Process.whereis(:server) end)
        call = fn request -> Cluster.run(:a, fn -> caught(fn -> GenServer.call(pid, request) end) end) end
        assert call.(:node) == :b
        assert call.({:exit, :crash}) == exit_of(:crash, pid, {:exit, :crash})
        assert call.(:node) == exit_of(:noproc, pid, :node)
        Cluster.crash_node(:b)
        settle()
        assert call.(:node) == exit_of({:nodedown, :b}, pid, :node)
      end,
      seeds: 1..50
    )
  end

  test "R-CALL GenServer.call: the late answer to one that has timed out is never seen" do
    run(
      fn ->
        Cluster.start_nodes([:a, :b], start: fn -> {:ok, _} = Server.start() end)
        caller = recorder(:a)
        request = {:sleep, 2_000}
        call = fn -> caught(fn -> GenServer.call({:server, :b}, request, 500) end) end
        assert tell(caller, call) == exit_of(:timeout, {:server, :b}, request, 500)
        settle()
        assert log(caller) == []
      end,
      seeds: 1..50
    )
  end

  test "R-CALL GenServer.call while the connection is lost" do
    for interrupt <- [
          fn -> Cluster.disconnect(:b, :a) end,
          fn -> Cluster.disconnect(:a, :b) end,
          fn -> Cluster.crash_node(:b) end
        ] do
      run(
        fn ->
          request = {:sleep, 20_000}

          assert interrupted(fn -> GenServer.call({:server, :b}, request, 30_000) end, interrupt) ==
                   exit_of({:nodedown, :b}, {:server, :b}, request, 30_000)
        end,
        seeds: 1..50
      )
    end
  end

  test "R-CALL GenServer.call of a node that is stopped has the documented reason" do
    run(
      fn ->
        request = {:sleep, 20_000}

        stopped =
          interrupted(fn -> GenServer.call({:server, :b}, request, 30_000) end, fn -> Cluster.stop_node(:b) end)

        assert stopped == exit_of(:nodedown, {:server, :b}, request, 30_000)
      end,
      seeds: 1..50
    )
  end

  test "R-CALL casts succeed whoever is there" do
    run(
      fn ->
        Cluster.start_nodes([:a, :b], start: fn -> {:ok, _} = Server.start() end)
        target = recorder(:a)

        Cluster.run(:a, fn ->
          for server <- [{:server, :b}, {:none, :b}, {:server, @nobody}] do
            assert GenServer.cast(server, {:tell, target, :cast}) == :ok
          end

          assert GenServer.abcast([:a, :b, @nobody], :server, {:tell, target, :abcast}) == :abcast
          assert GenServer.abcast([:a, :b, @nobody], :none, {:tell, target, :abcast}) == :abcast
        end)

        settle()
        assert Enum.sort(log(target)) == [:abcast, :abcast, :cast]
      end,
      seeds: 1..50
    )
  end

  test "R-CALL send_request" do
    responses = fn name ->
      calling(fn ->
        for node <- [:b, @nobody] do
          {name, node} |> :gen_server.send_request(:node) |> :gen_server.receive_response(5_000)
        end
      end)
    end

    run(fn -> assert responses.(:server) == [reply: :b, error: {:noconnection, {:server, @nobody}}] end, seeds: 1..50)

    run(
      fn -> assert responses.(:none) == [error: {:noproc, {:none, :b}}, error: {:noconnection, {:none, @nobody}}] end,
      seeds: 1..50
    )
  end

  test "R-CALL multi_call lists nodes that are down and those without the server" do
    run(
      fn ->
        Cluster.start_nodes([:a, :b], start: fn -> {:ok, _} = Server.start() end)
        Cluster.start_nodes([:c])
        answer = Cluster.run(:a, fn -> GenServer.multi_call([:a, :b, :c, @nobody], :server, :node, 1_000) end)
        assert sorted(answer) == {[a: :a, b: :b], [:c, @nobody]}
      end,
      seeds: 1..50
    )
  end

  test "R-CALL multi_call waits the whole timeout for who does not answer, and no longer" do
    run(
      fn ->
        Cluster.start_nodes([:a, :b], start: fn -> {:ok, _} = Server.start() end)
        caller = recorder(:a)
        call = fn -> tell(caller, fn -> GenServer.multi_call([:b], :server, {:sleep, 2_000}, 500) end) end
        assert {{[], [:b]}, took} = timed(call)
        assert took in 500..520
        settle()
        assert log(caller) == []
      end,
      seeds: 1..50,
      max_stall: 0
    )
  end

  test "R-CALL multi_call while a connection is lost" do
    run(
      fn ->
        assert interrupted(fn -> GenServer.multi_call([:a, :b], :server, {:sleep, 1_500}, 30_000) end) ==
                 {[a: :ok], [:b]}
      end,
      seeds: 1..50
    )
  end

  test "R-CALL whereis" do
    run(
      fn ->
        assert calling(fn -> GenServer.whereis({:server, :b}) end) == {:server, :b}
        assert Cluster.run(:a, fn -> GenServer.whereis({:none, :a}) end) == nil
        assert is_pid(Cluster.run(:a, fn -> GenServer.whereis({:server, :a}) end))
        assert Cluster.run(:a, fn -> GenServer.whereis({:server, @nobody}) end) == {:server, @nobody}
      end,
      seeds: 1..30
    )
  end

  ## Task

  defp tasks(fun) do
    Cluster.start_nodes([:a])
    Cluster.start_nodes([:b], start: fn -> {:ok, _} = Task.Supervisor.start_link(name: :tasks) end)
    Cluster.run(:a, fn -> caught(fun) end)
  end

  test "R-CALL tasks on another node" do
    run(fn -> assert tasks(fn -> Task.await(Task.Supervisor.async({:tasks, :b}, Work, :value, [1])) end) == 1 end,
      seeds: 1..50
    )

    run(fn -> assert tasks(fn -> Task.await(Task.Supervisor.async({:tasks, :b}, fn -> node() end)) end) == :b end,
      seeds: 1..50
    )

    run(
      fn ->
        assert {:exit, {:bad, {Task, :await, [%Task{}, 5000]}}} =
                 tasks(fn -> Task.await(Task.Supervisor.async_nolink({:tasks, :b}, Work, :fail, [:exit])) end)
      end,
      seeds: 1..50
    )

    run(
      fn ->
        assert tasks(fn -> Task.yield(Task.Supervisor.async_nolink({:tasks, :b}, Work, :fail, [:exit])) end) ==
                 {:exit, :bad}
      end,
      seeds: 1..50
    )
  end

  test "R-CALL tasks on a node that is not there, or has no supervisor" do
    run(
      fn ->
        for {server, reason} <- [{{:tasks, @nobody}, {:nodedown, @nobody}}, {{:none, :b}, :noproc}] do
          assert {:exit, {^reason, {GenServer, :call, [^server, {:start_task, _, _, _}, :infinity]}}} =
                   tasks(fn -> Task.Supervisor.async_nolink(server, Work, :value, [1]) end)
        end
      end,
      seeds: 1..50
    )
  end

  test "R-CALL tasks while the connection is lost" do
    lost = fn wait ->
      Cluster.start_nodes([:a])
      Cluster.start_nodes([:b], start: fn -> {:ok, _} = Task.Supervisor.start_link(name: :tasks) end)
      warm(:a)
      caller = recorder(:a)
      task = fn -> Task.Supervisor.async_nolink({:tasks, :b}, Work, :slow, [20_000]) end
      let(caller, fn -> caught(fn -> wait.(task.()) end) end)
      Process.sleep(500)
      Cluster.disconnect(:b, :a)
      told(caller)
    end

    run(
      fn -> assert {:exit, {{:nodedown, :b}, {Task, :await, [%Task{}, 30_000]}}} = lost.(&Task.await(&1, 30_000)) end,
      seeds: 1..50
    )

    run(
      fn -> assert {:exit, {{:nodedown, :b}, {Task, :yield, [%Task{}, 30_000]}}} = lost.(&Task.yield(&1, 30_000)) end,
      seeds: 1..50
    )
  end
end
