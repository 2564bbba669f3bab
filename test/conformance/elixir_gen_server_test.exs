defmodule Conformance.ElixirGenServerTest do
  # Elixir's GenServer, where it adds to gen_server, and Supervisor with modules and child specifications.
  use Lockstep.Support.Conformance

  defmodule Default do
    use GenServer
    def init(state), do: {:ok, state}
  end

  defmodule Worker do
    use GenServer, restart: :transient, shutdown: 10, id: :the_worker

    def start_link(arg), do: GenServer.start_link(__MODULE__, arg)

    @impl true
    def init(fun) when is_function(fun), do: fun.()
    def init({to, name}), do: {:ok, {to, name}, {:continue, :tell}}

    @impl true
    def handle_continue(:tell, {to, name} = state), do: {:noreply, tap(state, fn _ -> send(to, {:up, name}) end)}
    def handle_continue({:run, fun}, state), do: fun.(state)

    @impl true
    def handle_call({:run, fun}, from, state), do: fun.(from, state)

    @impl true
    def handle_cast({:run, fun}, state), do: fun.(state)

    @impl true
    def handle_info({:run, fun}, state), do: fun.(state)
    def handle_info(message, {to, name} = state), do: {:noreply, tap(state, fn _ -> send(to, {name, message}) end)}

    @impl true
    def terminate(reason, {to, name}), do: send(to, {:down, name, plain(reason)})
  end

  defmodule Application do
    use Supervisor
    def start_link(arg), do: Supervisor.start_link(__MODULE__, arg, name: __MODULE__)

    @impl true
    def init(to) do
      Supervisor.init(
        [{Worker, {to, :a}}, Supervisor.child_spec({Worker, {to, :b}}, id: :other, restart: :permanent)],
        strategy: :rest_for_one,
        max_restarts: 2
      )
    end
  end

  defp worker(name \\ :worker) do
    {:ok, pid} = GenServer.start(Worker, {self(), name})
    receive(do: ({:up, ^name} -> pid))
  end

  defp run(pid, fun), do: GenServer.call(pid, {:run, fun})

  describe "default callbacks" do
    test "calls and casts nobody has written crash; other messages are ignored" do
      check(fn ->
        for act <- [&GenServer.call(&1, :hello), &GenServer.cast(&1, :hello), &send(&1, :hello)] do
          {:ok, pid} = GenServer.start(Default, :state)
          ref = Process.monitor(pid)
          result = caught(fn -> act.(pid) end)
          down = receive(do: ({:DOWN, ^ref, _, _, reason} -> plain(reason)), after: (3 -> :alive))
          {result, down}
        end
        |> Enum.map(fn {result, down} -> {simple(result), down} end)
      end)
    end

    test "code_change and terminate" do
      check(fn ->
        {:ok, pid} = GenServer.start(Default, :state)
        :sys.suspend(pid)
        changed = :sys.change_code(pid, Default, :old, :extra)
        :sys.resume(pid)
        {changed, :sys.get_state(pid), GenServer.stop(pid)}
      end)
    end
  end

  defp simple({:ok, pid}) when is_pid(pid), do: :ok
  defp simple(other), do: other

  describe "GenServer" do
    test "call, cast, reply and whereis, by pid, name, and name with node" do
      check(fn ->
        {:ok, pid} = GenServer.start_link(Worker, {self(), :a}, name: :the_server)

        for server <- [pid, :the_server, {:the_server, node()}] do
          reply =
            GenServer.call(
              server,
              {:run, fn from, state -> tap({:noreply, state}, fn _ -> GenServer.reply(from, 1) end) end}
            )

          {reply, GenServer.cast(server, {:run, &{:noreply, &1}}), simple_whereis(GenServer.whereis(server), pid)}
        end
      end)
    end

    test "multi_call and abcast" do
      check(fn ->
        {:ok, _} = GenServer.start_link(Default, 1, name: :default)
        {:ok, _} = GenServer.start_link(Worker, {self(), :a}, name: :the_server)
        run = {:run, fn _from, state -> {:reply, elem(state, 1), state} end}

        {GenServer.multi_call(:the_server, run), GenServer.multi_call([node()], :the_server, run, 100),
         GenServer.multi_call([node()], :nobody, run), GenServer.abcast(:the_server, {:run, &{:noreply, &1}})}
      end)
    end

    test "bad names and bad servers" do
      check(fn ->
        for fun <- [
              fn -> GenServer.start_link(Default, 1, name: "text") end,
              fn -> GenServer.start_link(Default, 1, name: {:via, :no_such_module, 1}) end,
              fn -> GenServer.start_link(Default, 1, name: {:local, :name}) end,
              fn -> GenServer.call("text", :hello) end,
              fn -> GenServer.call(:nobody, :hello) end,
              fn -> GenServer.call({:nobody, node()}, :hello) end,
              fn -> GenServer.call(self(), :hello) end,
              fn -> GenServer.cast(:nobody, :hello) end,
              fn -> GenServer.stop(:nobody) end
            ],
            do: fun |> caught() |> plain() |> simple()
      end)
    end

    test "what was sent before a continue waits for it" do
      check(fn ->
        pid = worker()

        GenServer.cast(
          pid,
          {:run,
           fn {to, _} = state ->
             send(self(), :queued)

             {:noreply, state,
              {:continue, {:run, fn state -> tap({:noreply, state}, fn _ -> send(to, :continued) end) end}}}
           end}
        )

        # The first call may have come before the message that the server sends itself.
        for _ <- 1..2, do: run(pid, fn _from, state -> {:reply, :ok, state} end)
        flush()
      end)
    end

    test "periodic work with send_after" do
      check(fn ->
        pid = worker()

        tick = fn tick, n ->
          fn {to, _} = state ->
            send(to, {:tick, n})
            if n < 3, do: Process.send_after(self(), {:run, tick.(tick, n + 1)}, 2)
            {:noreply, state}
          end
        end

        send(pid, {:run, tick.(tick, 1)})
        for _ <- 1..3, do: receive(do: ({:tick, n} -> n))
      end)
    end

    test "a server that monitors and links" do
      check(fn ->
        pid = worker()

        child =
          run(pid, fn _from, state ->
            Process.flag(:trap_exit, true)
            {child, _ref} = spawn_monitor(fn -> receive(do: (:go -> exit(:gone))) end)
            Process.link(child)
            {:reply, child, state}
          end)

        send(child, :go)

        messages =
          for {:worker, message} <- flush(5), do: {elem(message, 0), message |> Tuple.to_list() |> List.last()}

        Enum.sort(messages)
      end)
    end

    test "a call within a call: to another, which calls back" do
      check(fn ->
        [a, b] = for name <- [:a, :b], do: worker(name)

        cycle = fn _from, state ->
          back = caught(fn -> GenServer.call(a, {:run, fn _, state -> {:reply, :back, state} end}, 3) end)
          {:reply, back, state}
        end

        run(a, fn _from, state -> {:reply, run(b, cycle), state} end)
      end)
    end

    test "hibernate_after and timeouts from every callback" do
      check(fn ->
        {:ok, pid} = GenServer.start(Worker, {self(), :a}, hibernate_after: 1)
        GenServer.cast(pid, {:run, &{:noreply, &1, 2}})
        Process.sleep(8)
        reply = run(pid, fn _from, state -> {:reply, :ok, state, 2} end)
        Process.sleep(8)
        {reply, flush()}
      end)
    end
  end

  describe "Supervisor with modules" do
    test "specifications of modules" do
      check(fn ->
        {Worker.child_spec(1), Default.child_spec(2),
         Supervisor.child_spec({Worker, 3}, id: :other, shutdown: :infinity),
         Application.child_spec([]) |> Map.delete(:start), Supervisor.child_spec(Default, [])}
      end)
    end

    test "a module-based supervisor, its restarts and its end" do
      check(fn ->
        {:ok, sup} = Application.start_link(self())
        started = for _ <- 1..2, do: receive(do: ({:up, name} -> name))
        [{:other, b, _, _}, {:the_worker, a, _, _}] = Supervisor.which_children(sup)
        ref = Process.monitor(b)
        Process.exit(a, :kill)
        receive(do: ({:DOWN, ^ref, _, _, reason} -> send(self(), {:b_ended, reason})))
        again = for _ <- 1..2, do: receive(do: ({:up, name} -> name))
        counted = Supervisor.count_children(sup)
        {Enum.sort(started), Enum.sort(again), flush(), counted, Supervisor.stop(Application)}
      end)
    end

    test "start_child, terminate_child, restart_child and delete_child" do
      check(fn ->
        {:ok, sup} = Supervisor.start_link([], strategy: :one_for_one)
        spec = Supervisor.child_spec({Worker, {self(), :a}}, [])
        start = simple(Supervisor.start_child(sup, spec))
        {:error, {:already_started, pid}} = Supervisor.start_child(sup, spec)

        {start, is_pid(pid), Supervisor.terminate_child(sup, :the_worker), Supervisor.start_child(sup, spec),
         simple(Supervisor.restart_child(sup, :the_worker)), Supervisor.delete_child(sup, :the_worker),
         Supervisor.terminate_child(sup, :the_worker), Supervisor.delete_child(sup, :the_worker)}
      end)
    end

    test "a child that fails to start" do
      check(fn ->
        Process.flag(:trap_exit, true)
        children = [{Worker, {self(), :a}}, %{id: :b, start: {Worker, :start_link, [fn -> {:stop, :no} end]}}]
        {Supervisor.start_link(children, strategy: :one_for_one), for({:EXIT, _, reason} <- flush(3), do: reason)}
      end)
    end

    test "children that are no specifications" do
      check(fn ->
        for child <- [:no_such_module, {__MODULE__, 1}, 42] do
          caught(fn -> Supervisor.start_link([child], strategy: :one_for_one) end)
        end
      end)
    end
  end

  defp simple_whereis(pid, pid), do: :pid
  defp simple_whereis(other, _pid), do: other
end
