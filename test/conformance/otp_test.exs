defmodule Conformance.OtpTest do
  # OTP's and Elixir's own processes, on the plain VM and inside Lockstep.
  use ExUnit.Case, async: false
  use Lockstep

  @moduletag :capture_log

  alias Lockstep.Support.{Oracle, Outside}

  defmodule Server do
    use GenServer

    def init({:stop, reason}), do: {:stop, reason}
    def init({:continue, to}), do: {:ok, to, {:continue, :tell}}

    def init(state) do
      Process.flag(:trap_exit, true)
      {:ok, state}
    end

    def handle_continue(:tell, to) do
      send(to, :continued)
      {:noreply, to}
    end

    def handle_call(:get, _from, state), do: {:reply, state, state}
    def handle_call(:crash, _from, _state), do: exit(:crashed)
    def handle_call(:stop, _from, state), do: {:stop, :normal, :stopping, state}
    def handle_call(:never, _from, state), do: {:noreply, state}

    def handle_call(:later, from, state) do
      send(self(), {:answer, from})
      {:noreply, state}
    end

    def handle_cast({:put, value}, _state), do: {:noreply, value}

    def handle_info({:answer, from}, state) do
      GenServer.reply(from, :late)
      {:noreply, state}
    end

    def handle_info({:notify, pid}, _state), do: {:noreply, {:notify, pid}}
    def handle_info(:timeout, to), do: {:noreply, tap(to, &send(&1, :timed_out))}

    def terminate(reason, {:notify, pid}), do: send(pid, {:terminated, reason})
    def terminate(_reason, _state), do: :ok
  end

  defp check(program) do
    {native, inside} = Oracle.outcomes(fn -> program.() |> tap(&Outside.tell_if_inside/1) end)
    assert {inside, length(native)} == {native, 1}
  end

  defp caught(fun) do
    fun.()
  catch
    :exit, {reason, {module, function, _args}} -> {:exit, reason, module, function}
    kind, reason -> {kind, reason}
  end

  describe "GenServer" do
    test "calls, casts and late replies" do
      check(fn ->
        {:ok, pid} = GenServer.start_link(Server, 1)
        GenServer.cast(pid, {:put, 2})

        {GenServer.call(pid, :get), GenServer.call(pid, :later), GenServer.call(pid, :stop),
         GenServer.whereis(:nobody)}
      end)
    end

    test "calls that fail" do
      check(fn ->
        {:ok, pid} = GenServer.start(Server, 1)
        timeout = caught(fn -> GenServer.call(pid, :never, 10) end)
        crash = caught(fn -> GenServer.call(pid, :crash) end)
        {timeout, crash, caught(fn -> GenServer.call(pid, :get) end), caught(fn -> GenServer.call(:nobody, :get) end)}
      end)
    end

    test "start, names and init" do
      check(fn ->
        {:ok, pid} = GenServer.start_link(Server, 1, name: :the_server)
        taken = GenServer.start_link(Server, 2, name: :the_server)
        {:ok, _} = GenServer.start_link(Server, {:continue, self()})
        continued = receive(do: (:continued -> :continued))
        {taken == {:error, {:already_started, pid}}, GenServer.start(Server, {:stop, :no}), continued}
      end)
    end

    test "terminate runs when it is stopped, and when its parent ends" do
      check(fn ->
        {:ok, pid} = GenServer.start(Server, {:notify, self()})
        GenServer.stop(pid, :shutdown)
        first = receive(do: ({:terminated, reason} -> reason))
        main = self()

        spawn(fn ->
          {:ok, _} = GenServer.start_link(Server, {:notify, main})
          exit(:parent_gone)
        end)

        {first, receive(do: ({:terminated, reason} -> reason))}
      end)
    end
  end

  describe "Supervisor" do
    for {strategy, expected} <- [one_for_one: [:b], one_for_all: [:a, :b, :c], rest_for_one: [:b, :c]] do
      test "#{strategy} restarts #{inspect(expected)} of three when the second is killed" do
        check(fn ->
          children = for id <- [:a, :b, :c], do: %{id: id, start: {Agent, :start_link, [fn -> id end]}}
          {:ok, sup} = Supervisor.start_link(children, strategy: unquote(strategy))
          before = pids(sup)
          Process.exit(before[:b], :kill)
          wait_until(fn -> before[:b] != pids(sup)[:b] and Enum.all?(pids(sup), fn {_, pid} -> is_pid(pid) end) end)
          now = pids(sup)
          assert for(id <- [:a, :b, :c], before[id] != now[id], do: id) == unquote(expected)
          {Supervisor.count_children(sup), Supervisor.stop(sup)}
        end)
      end
    end

    test "gives up when its children restart too often" do
      check(fn ->
        Process.flag(:trap_exit, true)
        child = %{id: :c, start: {Task, :start_link, [fn -> exit(:again) end]}, restart: :permanent}
        {:ok, sup} = Supervisor.start_link([child], strategy: :one_for_one, max_restarts: 3)
        receive(do: ({:EXIT, ^sup, reason} -> reason))
      end)
    end

    test "DynamicSupervisor starts and terminates" do
      check(fn ->
        {:ok, sup} = DynamicSupervisor.start_link(strategy: :one_for_one, max_children: 1)
        {:ok, pid} = DynamicSupervisor.start_child(sup, {Agent, fn -> 1 end})
        full = DynamicSupervisor.start_child(sup, {Agent, fn -> 2 end})

        {full, DynamicSupervisor.terminate_child(sup, pid), Process.alive?(pid),
         DynamicSupervisor.count_children(sup)}
      end)
    end
  end

  describe "Task" do
    test "await, yield, shutdown and streams" do
      check(fn ->
        slow = Task.async(fn -> Process.sleep(:infinity) end)
        stream = 1..5 |> Task.async_stream(&(&1 * &1), max_concurrency: 2) |> Enum.to_list()
        {Task.await(Task.async(fn -> 1 end)), Task.yield(slow, 5), Task.shutdown(slow), stream}
      end)
    end

    test "a crash reaches the caller, or only the supervisor" do
      check(fn ->
        {:ok, sup} = Task.Supervisor.start_link()
        task = Task.Supervisor.async_nolink(sup, fn -> exit(:crashed) end)
        nolink = caught(fn -> Task.await(task) end)

        {_, ref} = spawn_monitor(fn -> Task.await(Task.async(fn -> exit(:crashed) end)) end)
        linked = receive(do: ({:DOWN, ^ref, _, _, reason} -> reason))
        {nolink, linked == :crashed or match?({:crashed, _}, linked)}
      end)
    end
  end

  test "Agent" do
    check(fn ->
      {:ok, agent} = Agent.start_link(fn -> %{} end)
      Agent.update(agent, &Map.put(&1, :a, 1))
      {Agent.get_and_update(agent, &{&1, :new}), Agent.get(agent, & &1), Agent.stop(agent)}
    end)
  end

  describe "Registry" do
    test "unique keys, via, and what is left after a death" do
      check(fn ->
        {:ok, _} = Registry.start_link(keys: :unique, name: UniqueRegistry)
        via = {:via, Registry, {UniqueRegistry, :key}}
        {:ok, agent} = Agent.start(fn -> 1 end, name: via)
        taken = match?({:error, {:already_started, ^agent}}, Agent.start(fn -> 2 end, name: via))
        value = Agent.get(via, & &1)
        Agent.stop(agent)
        wait_until(fn -> Registry.lookup(UniqueRegistry, :key) == [] end)
        {taken, value, Registry.count(UniqueRegistry)}
      end)
    end

    test "duplicate keys and dispatch" do
      check(fn ->
        {:ok, _} = Registry.start_link(keys: :duplicate, name: DuplicateRegistry)
        for n <- [1, 2], do: Registry.register(DuplicateRegistry, :topic, n)
        Registry.dispatch(DuplicateRegistry, :topic, fn entries -> for {pid, n} <- entries, do: send(pid, n) end)
        Enum.sort(for _ <- 1..2, do: receive(do: (n -> n)))
      end)
    end
  end

  defp pids(sup), do: for({id, pid, _, _} <- Supervisor.which_children(sup), into: %{}, do: {id, pid})

  defp wait_until(fun) do
    unless fun.() do
      Process.sleep(1)
      wait_until(fun)
    end
  end
end
