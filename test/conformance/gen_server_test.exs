defmodule Conformance.GenServerTest do
  # OTP's gen_server, called by its Erlang names.
  use Lockstep.Support.Conformance

  # Does what it is told: the state is a list of what has happened, and a request is a function of it.
  defmodule Server do
    @behaviour :gen_server

    @impl true
    def init(fun) when is_function(fun, 0), do: fun.()
    def init(state), do: {:ok, state}

    @impl true
    def handle_call(:get, _from, state), do: {:reply, state, state}
    def handle_call(:never, _from, state), do: {:noreply, state}
    def handle_call({:run, fun}, from, state), do: fun.(from, state)

    @impl true
    def handle_cast({:run, fun}, state), do: fun.(state)
    def handle_cast(message, state), do: {:noreply, [{:cast, message} | state]}

    @impl true
    def handle_info({:run, fun}, state), do: fun.(state)
    def handle_info(message, state), do: {:noreply, [{:info, message} | state]}

    @impl true
    def handle_continue({:run, fun}, state), do: fun.(state)
    def handle_continue(message, state), do: {:noreply, [{:continue, message} | state]}

    @impl true
    def terminate(reason, {:tell, pid}), do: send(pid, {:terminated, plain(reason)})
    def terminate(_reason, _state), do: :ok

    @impl true
    def code_change(version, state, extra), do: {:ok, [{:changed, version, extra} | state]}

    @impl true
    def format_status(%{state: state} = status), do: %{status | state: {:formatted, state}}
  end

  # A server without the optional callbacks.
  defmodule Bare do
    @behaviour :gen_server

    @impl true
    def init(state), do: {:ok, state}
    @impl true
    def handle_call(:get, _from, state), do: {:reply, state, state}
    @impl true
    def handle_cast(state, _state), do: {:noreply, state}
  end

  # A registry of one name, for the `via` form.
  defmodule Names do
    def register_name(name, pid), do: if(:erlang.register(name, pid), do: :yes)
    def unregister_name(name), do: :erlang.unregister(name)
    def whereis_name(name), do: :erlang.whereis(name)
    def send(name, message), do: :erlang.send(name, message)
  end

  defp start(state \\ []) do
    {:ok, pid} = :gen_server.start_link(Server, state, [])
    pid
  end

  defp unlinked(state \\ []) do
    {:ok, pid} = :gen_server.start(Server, state, [])
    pid
  end

  defp run(pid, fun), do: :gen_server.call(pid, {:run, fun})
  defp state(pid), do: :gen_server.call(pid, :get)

  describe "requests" do
    test "calls, casts and other messages come in order" do
      check(fn ->
        pid = start()
        :gen_server.cast(pid, 1)
        send(pid, 2)
        :gen_server.cast(pid, 3)
        Enum.reverse(state(pid))
      end)
    end

    test "a reply given before, after and instead of the return value" do
      check(fn ->
        pid = start()

        before =
          run(pid, fn from, state ->
            :gen_server.reply(from, :early)
            {:noreply, state}
          end)

        later =
          run(pid, fn from, state ->
            send(self(), {:run, fn state -> tap({:noreply, state}, fn _ -> :gen_server.reply(from, :late) end) end})
            {:noreply, state}
          end)

        other =
          run(pid, fn from, state ->
            spawn_link(fn -> :gen_server.reply(from, :other) end)
            {:noreply, state}
          end)

        {before, later, other}
      end)
    end

    test "of two replies the first counts; the second is lost or comes as a message" do
      program = fn ->
        pid = start()

        reply =
          run(pid, fn from, state ->
            :gen_server.reply(from, 1)
            {:reply, 2, state}
          end)

        {reply, state(pid), for({[:alias | _], late} <- flush(1), do: late)}
      end

      assert Enum.sort(check_among(program)) == [{1, [], []}, {1, [], [2]}]
    end

    test "a thrown return value counts as returned" do
      check(fn ->
        pid = start()
        {run(pid, fn _from, _state -> throw({:reply, :thrown, [:new]}) end), state(pid)}
      end)
    end

    test "a call that takes too long, and its reply that comes too late" do
      check(fn ->
        pid = start()

        slow = fn _from, state ->
          Process.sleep(15)
          {:reply, :late, state}
        end

        timeout = caught(fn -> :gen_server.call(pid, {:run, slow}, 5) end)
        {timeout, state(pid), flush(5)}
      end)
    end

    test "calls to the dead, to nobody and to oneself" do
      check(fn ->
        pid = unlinked()
        :gen_server.stop(pid)

        for server <- [pid, :nobody_here, {:nobody_here, node()}, {:via, Names, :nobody_here}, self()],
            do: caught(fn -> :gen_server.call(server, :get) end)
      end)
    end

    test "casts to nobody are lost" do
      check(fn ->
        for server <- [:nobody_here, {:nobody_here, node()}, {:via, Names, :nobody_here}, spawn(fn -> :ok end)],
            do: caught(fn -> :gen_server.cast(server, :hello) end)
      end)
    end

    test "multi_call and abcast on one's own node" do
      check(fn ->
        for {name, state} <- [one: [1], two: [2]],
            do: {:ok, _} = :gen_server.start_link({:local, name}, Server, state, [])

        :abcast = :gen_server.abcast([node()], :one, :hello)
        :abcast = :gen_server.abcast(:two, :hello)

        {:gen_server.multi_call(:one, :get), :gen_server.multi_call([node()], :two, :get, 1000),
         :gen_server.multi_call([node()], :nobody_here, :get), :gen_server.multi_call([node()], :one, :never, 5)}
      end)
    end
  end

  describe "asynchronous requests" do
    test "send_request, wait_response and receive_response" do
      check(fn ->
        pid = start([:state])
        first = :gen_server.send_request(pid, :get)
        second = :gen_server.send_request(pid, :get)
        third = :gen_server.send_request(pid, :never)

        {:gen_server.receive_response(second, 1000), :gen_server.wait_response(first, 1000),
         :gen_server.wait_response(third, 2), :gen_server.receive_response(third, 2)}
      end)
    end

    test "check_response recognises the one message" do
      check(fn ->
        pid = start([:state])
        send(self(), :other)
        id = :gen_server.send_request(pid, :get)

        for _ <- 1..2 do
          receive do
            message -> :gen_server.check_response(message, id)
          end
        end
      end)
    end

    test "of servers that are not there, and that end" do
      check(fn ->
        pid = unlinked()

        for server <- [:nobody_here, pid] do
          id = :gen_server.send_request(server, {:run, fn _from, _state -> exit(:ended) end})
          {:error, {reason, ^server}} = :gen_server.receive_response(id, :infinity)
          reason
        end
      end)
    end

    test "a collection of requests" do
      check(fn ->
        pid = start([:state])
        ids = for label <- [:a, :b], do: {label, :gen_server.send_request(pid, :get)}

        collection =
          Enum.reduce(ids, :gen_server.reqids_new(), fn {label, id}, all -> :gen_server.reqids_add(id, label, all) end)

        {first, left} = answer(:gen_server.receive_response(collection, 1000, true))
        {second, left} = answer(:gen_server.wait_response(left, 1000, true))
        {Enum.sort([first, second]), :gen_server.receive_response(left, 1000, true), :gen_server.reqids_size(left)}
      end)
    end
  end

  defp answer({answer, label, left}), do: {{answer, label}, left}

  describe "start" do
    for {name, code} <- [
          stop: quote(do: {:stop, :no}),
          ignore: quote(do: :ignore),
          bad: quote(do: :bad),
          error: quote(do: {:error, :no}),
          exit: quote(do: exit(:no)),
          throw: quote(do: throw(:no)),
          raise: quote(do: :erlang.error(:no)),
          normal: quote(do: exit(:normal)),
          killed: quote(do: Process.exit(self(), :kill))
        ] do
      test "an init that comes to #{name}, linked and not" do
        check(fn ->
          Process.flag(:trap_exit, true)
          init = fn -> unquote(code) end
          linked = :gen_server.start_link(Server, init, [])
          exits = for {:EXIT, _pid, reason} <- flush(2), do: plain(reason)
          {plain(linked), exits, plain(:gen_server.start(Server, init, [])), flush(1)}
        end)
      end
    end

    test "start_monitor" do
      check(fn ->
        {:ok, {pid, ref}} = :gen_server.start_monitor(Server, [], [])
        :gen_server.stop(pid, :shutdown, 100)
        bad = :gen_server.start_monitor(Server, fn -> {:stop, :no} end, [])
        {receive(do: ({:DOWN, ^ref, :process, ^pid, reason} -> reason)), bad, flush(1)}
      end)
    end

    test "an init that takes too long is killed" do
      check(fn ->
        Process.flag(:trap_exit, true)
        init = fn -> Process.sleep(:infinity) end
        result = :gen_server.start_link(Server, init, timeout: 5)
        {result, for({:EXIT, _, reason} <- flush(5), do: reason)}
      end)
    end

    test "names: local and via, and taken ones" do
      check(fn ->
        for name <- [{:local, :the_server}, {:via, Names, :the_via_server}] do
          {:ok, pid} = :gen_server.start_link(name, Server, [], [])
          {:error, {:already_started, ^pid}} = :gen_server.start_link(name, Server, [], [])
          {:error, {:already_started, ^pid}} = :gen_server.start(name, Server, [], [])
          to = if elem(name, 0) == :local, do: :the_server, else: name
          :gen_server.cast(to, :hello)
          {:gen_server.call(to, :get), :gen_server.stop(to), Process.whereis(elem(name, tuple_size(name) - 1))}
        end
      end)
    end

    test "spawn options, a debug option and the process's dictionary" do
      check(fn ->
        {:ok, pid} = :gen_server.start_link(Server, [], spawn_opt: [priority: :high], hibernate_after: 1000)
        main = self()

        run(pid, fn _from, state ->
          {:reply, {Process.get(:"$initial_call"), Process.get(:"$ancestors") == [main]}, state}
        end)
      end)
    end
  end

  describe "continue" do
    test "after init comes before every message" do
      check(fn ->
        main = self()

        pid =
          start(
            fn ->
              send(main, {:pid, self()})
              receive(do: (:go -> :ok))
              {:ok, [], {:continue, :first}}
            end
            |> then(fn init ->
              fn ->
                send(self(), :go)
                send(self(), :queued)
                init.()
              end
            end)
          )

        Enum.reverse(state(pid))
      end)
    end

    test "after a call, a cast, a message and another continue" do
      check(fn ->
        pid = start()

        send(
          pid,
          {:run,
           fn state -> {:noreply, state, {:continue, {:run, fn s -> {:noreply, [1 | s], {:continue, 2}} end}}} end}
        )

        :gen_server.cast(pid, {:run, fn state -> {:noreply, state, {:continue, 3}} end})
        reply = run(pid, fn _from, state -> {:reply, state, state, {:continue, 4}} end)
        {reply, state(pid)}
      end)
    end
  end

  describe "timeouts" do
    test "come when nothing else does" do
      check(fn ->
        pid = start(fn -> {:ok, [], 5} end)
        Process.sleep(20)
        state(pid)
      end)
    end

    test "end with the next message" do
      check(fn ->
        pid = start(fn -> {:ok, [], 10} end)
        send(pid, :hello)
        Process.sleep(20)
        state(pid)
      end)
    end

    test "of 0 come after what is in the mailbox already" do
      check(fn ->
        pid =
          start(fn ->
            send(self(), :queued)
            {:ok, [], 0}
          end)

        reply = run(pid, fn _from, state -> {:reply, state, state, 0} end)
        wait_until(fn -> match?([{:info, :timeout} | _], :sys.get_state(pid)) end)
        {reply, Enum.uniq(state(pid))}
      end)
    end

    test "of a server that hibernates, and one told to do so" do
      check(fn ->
        {:ok, pid} = :gen_server.start_link(Server, fn -> {:ok, [:slept], :hibernate} end, hibernate_after: 2)
        first = state(pid)
        Process.sleep(6)
        send(pid, :hello)
        second = run(pid, fn _from, state -> {:reply, state, state, :hibernate} end)
        {first, second, state(pid), Process.alive?(pid)}
      end)
    end
  end

  describe "ends" do
    for {name, code} <- [
          stop: quote(do: {:stop, :asked, :reply, [:state]}),
          stop_normal: quote(do: {:stop, :normal, :reply, [:state]}),
          stop_without_reply: quote(do: {:stop, :asked, [:state]}),
          bad: quote(do: :bad),
          exit: quote(do: exit(:asked)),
          raise: quote(do: :erlang.error(:asked)),
          shutdown: quote(do: exit({:shutdown, :asked}))
        ] do
      test "of a call that comes to #{name}" do
        check(fn ->
          main = self()
          pid = unlinked({:tell, main})
          ref = Process.monitor(pid)
          call = caught(fn -> run(pid, fn _from, _state -> unquote(code) end) end)
          down = receive(do: ({:DOWN, ^ref, _, _, reason} -> plain(reason)))
          {call, down, flush(1)}
        end)
      end
    end

    test "terminate runs after a crash in a cast, with the state from before" do
      check(fn ->
        pid = unlinked({:tell, self()})
        ref = Process.monitor(pid)
        :gen_server.cast(pid, {:run, fn _state -> exit(:crashed) end})
        {receive(do: ({:DOWN, ^ref, _, _, reason} -> reason)), flush(1)}
      end)
    end

    for trap <- [true, false] do
      test "with its parent, when it #{if trap, do: "traps exits", else: "does not"}" do
        check(fn ->
          main = self()

          parent =
            spawn(fn ->
              {:ok, pid} =
                :gen_server.start_link(
                  Server,
                  fn -> {:ok, tap({:tell, main}, fn _ -> Process.flag(:trap_exit, unquote(trap)) end)} end,
                  []
                )

              send(main, {:server, pid})
              receive(do: (:go -> exit(:parent_gone)))
            end)

          pid = receive(do: ({:server, pid} -> pid))
          ref = Process.monitor(pid)
          send(parent, :go)
          {receive(do: ({:DOWN, ^ref, _, _, reason} -> reason)), flush(1)}
        end)
      end
    end

    test "an exit signal of another than the parent is a message to one that traps" do
      check(fn ->
        pid = start(fn -> {:ok, tap([], fn _ -> Process.flag(:trap_exit, true) end)} end)

        run(pid, fn _from, state ->
          spawn_link(fn -> exit(:child_gone) end)
          {:reply, :ok, state}
        end)

        wait_until(fn -> state(pid) != [] end)
        [{:info, {:EXIT, child, reason}}] = state(pid)
        {is_pid(child), reason}
      end)
    end

    test "stop, with reasons, of the dead and of nobody" do
      check(fn ->
        pid = unlinked({:tell, self()})
        ref = Process.monitor(pid)
        stopped = :gen_server.stop(pid, :because, 1000)
        down = receive(do: ({:DOWN, ^ref, _, _, reason} -> reason))

        {stopped, down, flush(1), caught(fn -> :gen_server.stop(pid) end),
         caught(fn -> :gen_server.stop(:nobody_here) end)}
      end)
    end

    test "stop of one that takes too long" do
      check(fn ->
        pid = unlinked()
        :gen_server.cast(pid, {:run, fn state -> {:noreply, tap(state, fn _ -> Process.sleep(20) end)} end})
        stopped = caught(fn -> :gen_server.stop(pid, :normal, 3) end)
        ref = Process.monitor(pid)
        {stopped, receive(do: ({:DOWN, ^ref, _, _, reason} -> reason))}
      end)
    end

    test "the caller of a server that is killed" do
      check(fn ->
        pid = unlinked()
        spawn(fn -> tap(Process.sleep(3), fn _ -> Process.exit(pid, :kill) end) end)
        caught(fn -> :gen_server.call(pid, :never) end)
      end)
    end
  end

  test "without optional callbacks" do
    check(fn ->
      {:ok, pid} = :gen_server.start_link(Bare, 1, [])
      send(pid, :unexpected)
      :gen_server.cast(pid, 2)
      {:gen_server.call(pid, :get), :sys.get_state(pid), :gen_server.stop(pid)}
    end)
  end

  describe "enter_loop" do
    test "of a process of one's own, with a name and a timeout" do
      check(fn ->
        pid =
          :proc_lib.spawn_link(fn ->
            Process.register(self(), :entered)
            :gen_server.enter_loop(Server, [], [:entered], {:local, :entered}, 3)
          end)

        Process.sleep(15)
        {Process.whereis(:entered) == pid, :gen_server.call(:entered, :get), :gen_server.stop(:entered)}
      end)
    end

    test "without the name it says it has, and without proc_lib" do
      check(fn ->
        {pid, ref} =
          :proc_lib.spawn_opt(fn -> :gen_server.enter_loop(Server, [], [], {:local, :no_such}) end, [:monitor])

        first = receive(do: ({:DOWN, ^ref, _, ^pid, reason} -> plain(reason)))
        {pid, ref} = spawn_monitor(fn -> :gen_server.enter_loop(Server, [], []) end)
        {first, receive(do: ({:DOWN, ^ref, _, ^pid, reason} -> plain(reason)))}
      end)
    end
  end

  describe "sys" do
    test "format_status says what is shown" do
      check(fn ->
        pid = start([:secret])
        {:status, ^pid, {:module, module}, [_dictionary, state, parent, debug, misc]} = :sys.get_status(pid)
        {module, state, parent == self(), debug, for({:data, [{~c"State", shown}]} <- misc, do: shown)}
      end)
    end

    test "code_change runs while suspended, and calls wait" do
      check(fn ->
        pid = start([])
        :ok = :sys.suspend(pid)
        :gen_server.cast(pid, :waiting)
        blocked = caught(fn -> :gen_server.call(pid, :get, 3) end)
        changed = :sys.change_code(pid, Server, :old, :extra)
        :ok = :sys.resume(pid)
        {blocked, changed, state(pid)}
      end)
    end
  end
end
