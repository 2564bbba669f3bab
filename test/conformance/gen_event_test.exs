defmodule Conformance.GenEventTest do
  # OTP's gen_event: a manager and its handlers.
  use Lockstep.Support.Conformance

  # Tells a process of everything that happens to it.
  defmodule Handler do
    @behaviour :gen_event

    @impl true
    def init({:crash, reason}), do: :erlang.error(reason)
    def init({:return, value}), do: value
    def init({{to, name}, before}), do: {:ok, tap({to, name}, fn _ -> send(to, {name, :after, before}) end)}
    def init({to, name}), do: {:ok, {to, name}}

    @impl true
    def handle_event({:return, fun}, state), do: fun.(state)
    def handle_event(event, {to, name} = state), do: {:ok, tap(state, fn _ -> send(to, {name, event}) end)}

    @impl true
    def handle_call({:return, fun}, state), do: fun.(state)
    def handle_call(request, {_to, name} = state), do: {:ok, {name, request}, state}

    @impl true
    def handle_info({:return, fun}, state), do: fun.(state)
    def handle_info(message, {to, name} = state), do: {:ok, tap(state, fn _ -> send(to, {name, :info, message}) end)}

    @impl true
    def terminate(reason, {to, name}) do
      send(to, {name, :terminated, plain(reason)})
      {name, :gone}
    end

    @impl true
    def code_change(_version, {to, name}, extra), do: {:ok, {to, {name, extra}}}
  end

  defmodule Other do
    @behaviour :gen_event
    defdelegate init(arg), to: Handler
    defdelegate handle_event(event, state), to: Handler
    defdelegate handle_call(request, state), to: Handler
    defdelegate terminate(reason, state), to: Handler
  end

  defp start(names) do
    {:ok, manager} = :gen_event.start_link()
    for name <- names, do: :ok = :gen_event.add_handler(manager, {Handler, name}, {self(), name})
    manager
  end

  test "handlers hear of events, the latest first" do
    check(fn ->
      manager = start([:a, :b])
      sync = :gen_event.sync_notify(manager, 1)
      first = flush()
      notified = :gen_event.notify(manager, 2)
      send(manager, 3)
      {sync, first, notified, :gen_event.which_handlers(manager), flush()}
    end)
  end

  test "calls to a handler, to one that is not there, and from names" do
    check(fn ->
      {:ok, manager} = :gen_event.start_link({:local, :the_manager})
      taken = :gen_event.start_link({:local, :the_manager})
      :ok = :gen_event.add_handler(:the_manager, Handler, {self(), :a})

      {taken == {:error, {:already_started, manager}}, :gen_event.call(:the_manager, Handler, :hello),
       :gen_event.call(manager, Other, :hello), :gen_event.call(manager, {Handler, :b}, :hello, 100),
       caught(fn -> :gen_event.call(:nobody_here, Handler, :hello) end), :gen_event.notify(manager, 1)}
    end)
  end

  test "adding the same handler twice, and one whose init fails" do
    check(fn ->
      manager = start([:a])

      for arg <- [
            {self(), :a},
            {:crash, :no},
            {:return, :bad},
            {:return, {:error, :no}},
            {:return, {:ok, 1, :hibernate}}
          ],
          id <- [:a, :b],
          do: plain(:gen_event.add_handler(manager, {Handler, id}, arg))
    end)
  end

  test "deleting handlers" do
    check(fn ->
      manager = start([:a, :b])
      deleted = :gen_event.delete_handler(manager, {Handler, :a}, :because)
      again = :gen_event.delete_handler(manager, {Handler, :a}, :because)
      {deleted, again, flush(), :gen_event.which_handlers(manager)}
    end)
  end

  test "swapping handlers hands over what the old one returns" do
    check(fn ->
      manager = start([:a])

      swaps =
        for old <- [{Handler, :a}, {Handler, :none}] do
          :gen_event.swap_handler(manager, {old, :leave}, {Other, {self(), :new}})
        end

      {swaps, flush(), :gen_event.which_handlers(manager)}
    end)
  end

  test "a handler removes itself, or swaps itself" do
    check(fn ->
      manager = start([:a, :b, :c])
      main = self()

      event =
        {:return,
         fn
           {_to, :a} -> :remove_handler
           {_to, :b} -> {:swap_handler, :leaving, {main, :swapped}, Other, {main, :new}}
           state -> {:ok, state, :hibernate}
         end}

      :gen_event.sync_notify(manager, event)
      {flush(), :gen_event.which_handlers(manager)}
    end)
  end

  for {name, code} <- [
        raise: quote(do: :erlang.error(:crashed)),
        exit: quote(do: exit(:crashed)),
        throw: quote(do: throw(:crashed)),
        bad: quote(do: :bad)
      ] do
    test "a handler whose callback comes to #{name} is removed, the others stay" do
      check(fn ->
        manager = start([:a, :b])
        crash = fn {_, n} = state -> if n == :a, do: unquote(code), else: {:ok, state} end
        :gen_event.sync_notify(manager, {:return, crash})
        event = {flush(), :gen_event.which_handlers(manager)}
        call = :gen_event.call(manager, {Handler, :b}, {:return, fn _ -> unquote(code) end})
        {event, plain(call), flush(), :gen_event.which_handlers(manager)}
      end)
    end
  end

  test "what a call may return" do
    check(fn ->
      manager = start([:a, :b, :c])
      main = self()

      replies =
        for {name, fun} <- [
              a: fn state -> {:ok, 1, state, :hibernate} end,
              a: fn _state -> {:remove_handler, 2} end,
              b: fn _state -> {:swap_handler, 3, :leaving, {main, :b}, Other, {main, :new}} end,
              c: fn {to, _} -> {:ok, 4, {to, :renamed}} end
            ],
            do: :gen_event.call(manager, {Handler, name}, {:return, fun})

      {replies, flush(), :gen_event.which_handlers(manager), :gen_event.call(manager, {Handler, :c}, :name)}
    end)
  end

  describe "supervised handlers" do
    for {name, code} <- [
          deleted: quote(do: fn manager, _main -> :gen_event.delete_handler(manager, Handler, :because) end),
          removed:
            quote(
              do: fn manager, _main -> :gen_event.sync_notify(manager, {:return, fn _ -> :remove_handler end}) end
            ),
          crashed:
            quote(do: fn manager, _main -> :gen_event.sync_notify(manager, {:return, fn _ -> exit(:crashed) end}) end),
          swapped:
            quote(
              do: fn manager, main ->
                :gen_event.swap_sup_handler(manager, {Handler, :leave}, {Other, {main, :new}})
              end
            ),
          stopped: quote(do: fn manager, _main -> :gen_event.stop(manager) end)
        ] do
      test "the owner hears when it is #{name}" do
        check(fn ->
          main = self()
          {:ok, manager} = :gen_event.start()
          :ok = :gen_event.add_sup_handler(manager, Handler, {main, :a})
          _ = unquote(code).(manager, main)
          told = for message <- flush(5), do: message |> plain() |> no_pids()
          if Process.alive?(manager), do: :gen_event.stop(manager)
          told
        end)
      end
    end

    test "one goes with its owner" do
      check(fn ->
        manager = start([])
        main = self()

        owner =
          spawn(fn ->
            :ok = :gen_event.add_sup_handler(manager, Handler, {main, :a})
            send(main, :added)
            receive(do: (:go -> exit(:owner_gone)))
          end)

        receive(do: (:added -> send(owner, :go)))
        gone = receive(do: ({:a, :terminated, reason} -> reason))
        {gone, :gen_event.which_handlers(manager)}
      end)
    end

    test "one of a dead process is not added for long" do
      check(fn ->
        manager = start([])
        main = self()
        {pid, ref} = spawn_monitor(fn -> :gen_event.add_sup_handler(manager, Handler, {main, :a}) end)
        receive(do: ({:DOWN, ^ref, _, ^pid, _} -> :ok))
        receive(do: ({:a, :terminated, reason} -> {reason, :gen_event.which_handlers(manager)}))
      end)
    end
  end

  defp no_pids(tuple) when is_tuple(tuple), do: tuple |> Tuple.to_list() |> Enum.map(&no_pids/1) |> List.to_tuple()
  defp no_pids(pid) when is_pid(pid), do: :pid
  defp no_pids(other), do: other

  describe "ends" do
    test "stop ends the handlers, the latest first" do
      check(fn ->
        {:ok, manager} = :gen_event.start()
        for name <- [:a, :b], do: :gen_event.add_handler(manager, {Handler, name}, {self(), name})
        ref = Process.monitor(manager)
        stopped = :gen_event.stop(manager, :because, 100)

        {stopped, receive(do: ({:DOWN, ^ref, _, _, reason} -> reason)), flush(),
         caught(fn -> :gen_event.stop(manager) end)}
      end)
    end

    test "with its parent" do
      check(fn ->
        main = self()

        spawn(fn ->
          {:ok, manager} = :gen_event.start_link()
          :gen_event.add_handler(manager, Handler, {main, :a})
          exit(:parent_gone)
        end)

        receive(do: ({:a, :terminated, reason} -> reason))
      end)
    end

    test "start_monitor, and a manager that is killed" do
      check(fn ->
        {:ok, {manager, ref}} = :gen_event.start_monitor([])
        request = :gen_event.send_request(manager, Handler, :hello)
        answer = :gen_event.receive_response(request, 100)
        Process.exit(manager, :kill)
        {answer, receive(do: ({:DOWN, ^ref, _, _, reason} -> reason))}
      end)
    end
  end

  test "asynchronous requests" do
    check(fn ->
      manager = start([:a])
      first = :gen_event.send_request(manager, {Handler, :a}, 1)
      second = :gen_event.send_request(manager, {Handler, :a}, 2)
      third = :gen_event.send_request(:nobody_here, {Handler, :a}, 3)

      {:gen_event.receive_response(second, :infinity), :gen_event.wait_response(first, 100),
       :gen_event.receive_response(third, 100)}
    end)
  end

  test "sys: the handlers' states, replaced states, code change" do
    check(fn ->
      main = self()
      manager = start([:a, :b])
      states = for {module, id, {^main, name}} <- :sys.get_state(manager), do: {module, id, name}
      replaced = :sys.replace_state(manager, fn {module, id, {to, name}} -> {module, id, {to, {:new, name}}} end)
      :sys.suspend(manager)
      changed = :sys.change_code(manager, Handler, :old, :extra)
      :sys.resume(manager)
      :gen_event.sync_notify(manager, :hello)
      {states, length(replaced), changed, flush()}
    end)
  end
end
