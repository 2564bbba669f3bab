defmodule Conformance.GenStatemTest do
  # OTP's gen_statem: both callback modes, every timeout, postponed and inserted events.
  use Lockstep.Support.Conformance

  # Keeps a log of the events it has handled; what it does with them is a function of event type, event and state.
  defmodule Machine do
    defstruct [:script, log: []]

    defmacro __using__(mode) do
      quote do
        @behaviour :gen_statem

        @impl true
        def callback_mode, do: unquote(mode)

        @impl true
        def init({script, state}), do: {:ok, state, %Machine{script: script}}
        def init({script, state, actions}), do: {:ok, state, %Machine{script: script}, actions}
        def init(fun) when is_function(fun), do: fun.()

        @impl true
        def handle_event(type, event, state, machine), do: Machine.handle(type, event, state, machine)

        @impl true
        def terminate(reason, state, %{script: {:tell, pid}}),
          do: send(pid, {:terminated, Conformance.Helpers.plain(reason), state})

        def terminate(_reason, _state, _machine), do: :ok

        @impl true
        def code_change(version, state, machine, extra), do: {:ok, {state, version, extra}, machine}
      end
    end

    def handle({:call, from}, :log, state, machine) do
      {:keep_state_and_data, [{:reply, from, {state, Enum.reverse(machine.log)}}]}
    end

    def handle({:call, from}, {:run, fun}, state, machine), do: fun.(from, state, machine)
    def handle(:cast, {:run, fun}, state, machine), do: fun.(state, machine)

    def handle(type, event, state, machine) do
      kind = if is_tuple(type) and elem(type, 0) == :call, do: :call, else: type
      machine = %{machine | log: [{kind, event, state} | machine.log]}
      returned(machine.script.(type, event, state), machine)
    end

    defp returned(:keep, machine), do: {:keep_state, machine}
    defp returned({:keep, actions}, machine), do: {:keep_state, machine, actions}
    defp returned(:repeat, machine), do: {:repeat_state, machine}
    defp returned({:repeat, actions}, machine), do: {:repeat_state, machine, actions}
    defp returned({:next, state}, machine), do: {:next_state, state, machine}
    defp returned({:next, state, actions}, machine), do: {:next_state, state, machine, actions}
    defp returned({:stop, reason}, machine), do: {:stop, reason, machine}
    defp returned({:stop, reason, replies}, machine), do: {:stop_and_reply, reason, replies, machine}
    defp returned(other, _machine), do: other
  end

  defmodule Plain do
    use Machine, :handle_event_function
  end

  defmodule Entering do
    use Machine, [:handle_event_function, :state_enter]
  end

  # A function a state.
  defmodule Door do
    @behaviour :gen_statem

    @impl true
    def callback_mode, do: [:state_functions, :state_enter]

    @impl true
    def init(code), do: {:ok, :locked, %{code: code, entered: []}}

    def locked(:enter, before, data), do: {:keep_state, %{data | entered: [{before, :locked} | data.entered]}}

    def locked({:call, from}, {:button, code}, %{code: code} = data),
      do: {:next_state, :open, data, [{:reply, from, :ok}]}

    def locked({:call, from}, {:button, _}, _data), do: {:keep_state_and_data, [{:reply, from, :wrong}]}
    def locked({:call, _from}, :walk, _data), do: {:keep_state_and_data, [:postpone]}

    def locked({:call, from}, :entered, data),
      do: {:keep_state_and_data, [{:reply, from, Enum.reverse(data.entered)}]}

    def open(:enter, before, data),
      do: {:keep_state, %{data | entered: [{before, :open} | data.entered]}, [{:state_timeout, 5, :close}]}

    def open(:state_timeout, :close, data), do: {:next_state, :locked, data}
    def open({:call, from}, :walk, _data), do: {:keep_state_and_data, [{:reply, from, :through}]}
    def open({:call, from}, :entered, data), do: {:keep_state_and_data, [{:reply, from, Enum.reverse(data.entered)}]}
  end

  defp start(script, state \\ :a, actions \\ [], module \\ Plain) do
    {:ok, pid} = :gen_statem.start_link(module, {script, state, actions}, [])
    pid
  end

  defp keep(_type, _event, _state), do: :keep
  defp log(pid), do: :gen_statem.call(pid, :log)

  defp log_after(pid, time) do
    Process.sleep(time)
    log(pid)
  end

  describe "state functions" do
    test "a door with a code, which closes by itself" do
      check(fn ->
        {:ok, door} = :gen_statem.start_link(Door, 1234, [])
        wrong = :gen_statem.call(door, {:button, 1})
        walk = :gen_statem.send_request(door, :walk)
        right = :gen_statem.call(door, {:button, 1234})
        through = :gen_statem.receive_response(walk, 1000)
        Process.sleep(15)
        {wrong, right, through, :gen_statem.call(door, :entered), :gen_statem.stop(door)}
      end)
    end

    test "an event that a state has no clause for ends it" do
      check(fn ->
        {:ok, door} = :gen_statem.start(Door, 1234, [])
        ref = Process.monitor(door)
        :gen_statem.cast(door, :unexpected)
        receive(do: ({:DOWN, ^ref, _, _, {reason, [{module, name, _, _} | _]}} -> {reason, module, name}))
      end)
    end
  end

  describe "events" do
    test "calls, casts and other messages come in order, with their types" do
      check(fn ->
        pid = start(&keep/3)
        :gen_statem.cast(pid, 1)
        send(pid, 2)
        :gen_statem.cast(pid, 3)
        log(pid)
      end)
    end

    test "inserted events come before those in the mailbox, in their order" do
      check(fn ->
        pid =
          start(fn
            :cast, 1, _ -> {:keep, [{:next_event, :internal, :x}, {:next_event, :cast, :y}, {:next_event, :info, :z}]}
            :internal, :x, _ -> {:keep, [{:next_event, :internal, :nested}]}
            _, _, _ -> :keep
          end)

        for n <- 1..3, do: :gen_statem.cast(pid, n)
        log(pid)
      end)
    end

    test "postponed ones come back in order when the state changes" do
      check(fn ->
        pid =
          start(fn
            :cast, :go, :a -> {:next, :b}
            :cast, _, :a -> {:keep, [:postpone]}
            _, _, _ -> :keep
          end)

        for event <- [1, 2, 3, :go, 4], do: :gen_statem.cast(pid, event)
        log(pid)
      end)
    end

    test "postponed ones stay when the state does not change" do
      check(fn ->
        pid =
          start(fn
            :cast, :same, :a -> {:next, :a}
            :cast, :go, :a -> {:next, :b}
            :cast, _, :a -> {:keep, [{:postpone, true}]}
            _, _, _ -> :keep
          end)

        for event <- [1, :same, 2], do: :gen_statem.cast(pid, event)
        before = log(pid)
        :gen_statem.cast(pid, :go)
        {before, log(pid)}
      end)
    end

    test "inserted events come before postponed ones, and a call can be postponed" do
      check(fn ->
        pid =
          start(fn
            :cast, :go, :a -> {:next, :b, [{:next_event, :internal, :first}]}
            _, _, :a -> {:keep, [:postpone]}
            {:call, from}, :get, :b -> {:keep, [{:reply, from, :got}]}
            _, _, _ -> :keep
          end)

        :gen_statem.cast(pid, 1)
        get = :gen_statem.send_request(pid, :get)
        :gen_statem.cast(pid, :go)
        {:gen_statem.receive_response(get, 1000), log(pid)}
      end)
    end

    test "repeat_state brings postponed events back" do
      check(fn ->
        pid =
          start(
            fn
              :cast, :repeat, _ -> :repeat
              :cast, :again, _ -> {:repeat, [{:next_event, :internal, :inserted}]}
              :enter, _, _ -> :keep
              :internal, _, _ -> :keep
              :cast, n, _ when n < 3 -> {:keep, [:postpone]}
              _, _, _ -> :keep
            end,
            :a,
            [],
            Entering
          )

        for event <- [1, 2, 3, :repeat, :again], do: :gen_statem.cast(pid, event)
        log(pid)
      end)
    end
  end

  describe "enter calls" do
    test "come on start and on every change of state, not on the same state" do
      check(fn ->
        pid =
          start(
            fn
              :enter, _, _ -> :keep
              :cast, {:to, state}, _ -> {:next, state}
              _, _, _ -> :keep
            end,
            :a,
            [],
            Entering
          )

        for state <- [:a, :b, :b, :a], do: :gen_statem.cast(pid, {:to, state})
        log(pid)
      end)
    end

    test "may set timeouts and reply, and may not change the state or postpone" do
      check(fn ->
        script = fn
          :enter, _, :a -> :keep
          :enter, _, :b -> {:keep, [{:state_timeout, 3, :late}]}
          :enter, _, :c -> {:next, :d}
          :enter, _, :d -> {:keep, [:postpone]}
          :cast, {:to, state}, _ -> {:next, state}
          _, _, _ -> :keep
        end

        pid = start(script, :a, [], Entering)
        :gen_statem.cast(pid, {:to, :b})
        good = log_after(pid, 15)

        bad =
          for state <- [:c, :d] do
            {:ok, pid} = :gen_statem.start(Entering, {script, :a}, [])
            ref = Process.monitor(pid)
            :gen_statem.cast(pid, {:to, state})
            receive(do: ({:DOWN, ^ref, _, _, {reason, stack}} when is_list(stack) -> bad_return(reason)))
          end

        {good, bad}
      end)
    end
  end

  defp bad_return({kind, returned}) when is_tuple(returned), do: {kind, elem(returned, 0)}
  defp bad_return({kind, returned}), do: {kind, returned}
  defp bad_return({kind, returned, _}), do: {kind, returned}

  describe "state timeouts" do
    test "come when the state has lasted so long" do
      check(fn ->
        start(&keep/3, :a, [{:state_timeout, 3, :late}]) |> log_after(15)
      end)
    end

    test "end with a change of state, not with other events" do
      check(fn ->
        script = fn
          :cast, {:to, state}, _ -> {:next, state}
          _, _, _ -> :keep
        end

        for event <- [:nothing, {:to, :a}, {:to, :b}] do
          pid = start(script, :a, [{:state_timeout, 8, :late}])
          :gen_statem.cast(pid, event)
          log_after(pid, 25)
        end
      end)
    end

    test "are replaced, updated and cancelled" do
      check(fn ->
        for actions <- [
              [{:state_timeout, 2, :new}],
              [{:state_timeout, :update, :new}],
              [{:state_timeout, :cancel}],
              [{:state_timeout, :infinity, :never}],
              [{:state_timeout, 0, :now}, {:state_timeout, 1, :last}]
            ] do
          script = fn
            :cast, :act, _ -> {:keep, actions}
            _, _, _ -> :keep
          end

          pid = start(script, :a, [{:state_timeout, 8, :old}])
          :gen_statem.cast(pid, :act)
          log_after(pid, 20)
        end
      end)
    end

    test "of 0 come before what is in the mailbox, after what is inserted, and with postponed events" do
      check(fn ->
        pid =
          start(fn
            :cast, :go, :a -> {:next, :b, [{:state_timeout, 0, :zero}, {:next_event, :internal, :inserted}]}
            :cast, 1, :a -> {:keep, [:postpone]}
            _, _, _ -> :keep
          end)

        :sys.suspend(pid)
        for event <- [1, :go, 2], do: :gen_statem.cast(pid, event)
        :sys.resume(pid)
        log(pid)
      end)
    end

    test "at an absolute time" do
      check(fn ->
        pid = start(&keep/3)

        :gen_statem.cast(
          pid,
          {:run,
           fn _state, _machine ->
             {:keep_state_and_data,
              [{:state_timeout, :erlang.monotonic_time(:millisecond) + 3, :absolute, [abs: true]}]}
           end}
        )

        {log(pid), log_after(pid, 15)}
      end)
    end
  end

  describe "event timeouts" do
    test "end with any event" do
      check(fn ->
        quiet = start(&keep/3, :a, [{:timeout, 3, :quiet}])
        disturbed = start(&keep/3, :a, [{:timeout, 8, :quiet}])
        :gen_statem.cast(disturbed, :hello)
        number = start(&keep/3, :a, [2])
        Process.sleep(25)
        {log(quiet), log(disturbed), log(number)}
      end)
    end

    test "of 0 come only when nothing is in the mailbox; started again by a repeated event" do
      check(fn ->
        pid =
          start(fn
            :timeout, :idle, _ -> :keep
            _, _, _ -> {:keep, [{:timeout, 0, :idle}]}
          end)

        :sys.suspend(pid)
        for event <- [1, 2], do: :gen_statem.cast(pid, event)
        :sys.resume(pid)
        log_after(pid, 10)
      end)
    end
  end

  describe "named timeouts" do
    test "last beyond changes of state, side by side" do
      check(fn ->
        pid =
          start(
            fn
              :cast, {:to, state}, _ -> {:next, state, [{{:timeout, :third}, 18, 3}]}
              _, _, _ -> :keep
            end,
            :a,
            [{{:timeout, :first}, 6, 1}, {{:timeout, :second}, 12, 2}, {:state_timeout, 9, :state}]
          )

        :gen_statem.cast(pid, {:to, :b})
        log_after(pid, 35)
      end)
    end

    test "are replaced, updated and cancelled by name" do
      check(fn ->
        for actions <- [
              [{{:timeout, :name}, 2, :new}],
              [{{:timeout, :name}, :update, :new}],
              [{{:timeout, :name}, :cancel}],
              [{{:timeout, :other}, :cancel}],
              [{{:timeout, :other}, :update, :at_once}]
            ] do
          script = fn
            :cast, :act, _ -> {:keep, actions}
            _, _, _ -> :keep
          end

          pid = start(script, :a, [{{:timeout, :name}, 8, :old}])
          :gen_statem.cast(pid, :act)
          log_after(pid, 16)
        end
      end)
    end

    test "a timeout of each kind at 0" do
      check(fn ->
        start(&keep/3, :a, [{{:timeout, :name}, 0, 1}, {:state_timeout, 0, 2}, {:timeout, 0, 3}]) |> log_after(3)
      end)
    end

    test "a timeout of 0 that is cancelled by the event before it" do
      check(fn ->
        pid =
          start(fn
            :cast, :go, _ -> {:next, :b, [{:state_timeout, 0, :zero}, {:next_event, :internal, :leave}]}
            :internal, :leave, _ -> {:next, :c}
            _, _, _ -> :keep
          end)

        :gen_statem.cast(pid, :go)
        log_after(pid, 3)
      end)
    end
  end

  describe "replies" do
    test "several in one event, and by reply/1,2" do
      check(fn ->
        pid =
          start(fn
            {:call, from}, :first, _ -> {:next, {:waiting, from}}
            {:call, from}, :second, {:waiting, other} -> {:next, :done, [{:reply, from, 2}, {:reply, other, 1}]}
            {:call, from}, :third, _ -> tap(:keep, fn _ -> :gen_statem.reply(from, 3) end)
            {:call, from}, :fourth, _ -> tap(:keep, fn _ -> :gen_statem.reply([{:reply, from, 4}]) end)
          end)

        first = :gen_statem.send_request(pid, :first)
        calls = for request <- [:second, :third, :fourth], do: :gen_statem.call(pid, request)
        {:gen_statem.receive_response(first, 1000), calls}
      end)
    end

    test "stop and reply" do
      check(fn ->
        {:ok, pid} =
          :gen_statem.start(Plain, {fn {:call, from}, _, _ -> {:stop, :done, [{:reply, from, :bye}]} end, :a}, [])

        ref = Process.monitor(pid)
        reply = :gen_statem.call(pid, :end)
        {reply, receive(do: ({:DOWN, ^ref, _, _, reason} -> reason)), caught(fn -> :gen_statem.call(pid, :end) end)}
      end)
    end

    test "calls that take too long, clean and dirty" do
      check(fn ->
        pid = start(&keep/3)
        timeouts = [3, {:clean_timeout, 3}, {:dirty_timeout, 3}]
        for timeout <- timeouts, do: caught(fn -> :gen_statem.call(pid, :never, timeout) end)
      end)
    end

    test "a collection of requests" do
      check(fn ->
        pid = start(fn {:call, from}, event, _ -> {:keep, [{:reply, from, {:got, event}}]} end)

        all =
          Enum.reduce([:x, :y], :gen_statem.reqids_new(), fn request, all ->
            :gen_statem.send_request(pid, request, {:label, request}, all)
          end)

        {{:reply, first}, x, all} = :gen_statem.receive_response(all, 1000, true)
        {{:reply, second}, y, all} = :gen_statem.receive_response(all, 1000, true)
        {Enum.sort([{first, x}, {second, y}]), :gen_statem.receive_response(all, 1000, true)}
      end)
    end
  end

  describe "start and end" do
    for {name, code} <- [
          stop: quote(do: {:stop, :no}),
          ignore: quote(do: :ignore),
          bad: quote(do: :bad),
          exit: quote(do: exit(:no)),
          raise: quote(do: :erlang.error(:no)),
          throw: quote(do: throw({:ok, :a, %{log: []}}))
        ] do
      test "an init that comes to #{name}" do
        check(fn ->
          Process.flag(:trap_exit, true)
          started = :gen_statem.start_link(Plain, fn -> unquote(code) end, [])
          exits = for {:EXIT, _, reason} <- flush(2), do: plain(reason)
          {started |> plain() |> no_pid(), exits}
        end)
      end
    end

    for {name, code} <- [
          stop: quote(do: :stop),
          stop_reason: quote(do: {:stop, :asked}),
          exit: quote(do: exit(:asked)),
          raise: quote(do: :erlang.error(:asked)),
          bad: quote(do: :bad),
          bad_action: quote(do: {:keep_state_and_data, [:no_such_action]}),
          bad_timeout: quote(do: {:keep_state_and_data, [{:state_timeout, -1, :x}]}),
          shutdown: quote(do: exit(:shutdown))
        ] do
      test "of an event that comes to #{name}" do
        check(fn ->
          main = self()
          {:ok, pid} = :gen_statem.start(Plain, {{:tell, main}, :a}, [])
          ref = Process.monitor(pid)
          call = caught(fn -> :gen_statem.call(pid, {:run, fn _, _, _ -> unquote(code) end}) end)
          {call, receive(do: ({:DOWN, ^ref, _, _, reason} -> plain(reason))), flush(1)}
        end)
      end
    end

    test "stop with a reason" do
      check(fn ->
        {:ok, pid} = :gen_statem.start({:local, :machine}, Plain, {{:tell, self()}, :a}, [])
        ref = Process.monitor(pid)
        stopped = :gen_statem.stop(:machine, :because, 1000)

        {stopped, receive(do: ({:DOWN, ^ref, _, _, reason} -> reason)), flush(1),
         caught(fn -> :gen_statem.stop(pid) end)}
      end)
    end

    test "terminate runs when the parent ends and it traps exits" do
      check(fn ->
        main = self()

        spawn(fn ->
          {:ok, _} =
            :gen_statem.start_link(
              Plain,
              fn ->
                Process.flag(:trap_exit, true)
                {:ok, :a, %Machine{script: {:tell, main}}}
              end,
              []
            )

          exit(:parent_gone)
        end)

        receive(do: ({:terminated, reason, state} -> {reason, state}))
      end)
    end

    test "enter_loop" do
      check(fn ->
        pid =
          :proc_lib.spawn_link(fn ->
            :gen_statem.enter_loop(Plain, [], :entered, %Machine{script: &keep/3}, [{:state_timeout, 2, :hello}])
          end)

        log_after(pid, 12)
      end)
    end
  end

  defp no_pid({:ok, pid}) when is_pid(pid), do: :ok
  defp no_pid(other), do: other

  test "hibernation does not lose events" do
    check(fn ->
      pid = start(fn _, event, _ -> if(event == :sleep, do: {:keep, [:hibernate]}, else: :keep) end, :a, [:hibernate])
      for event <- [:sleep, 1, :sleep, 2], do: :gen_statem.cast(pid, event)
      first = log(pid)
      :gen_statem.cast(pid, :sleep)
      Process.sleep(3)
      send(pid, :wake)
      {first, log(pid)}
    end)
  end

  test "the callback module changes, and changes back" do
    check(fn ->
      pid =
        start(fn
          :enter, _, _ -> :keep
          :cast, {:change, module}, _ -> {:keep, [{:change_callback_module, module}]}
          :cast, {:push, module}, _ -> {:keep, [{:push_callback_module, module}]}
          :cast, :pop, _ -> {:keep, [:pop_callback_module]}
          :cast, {:to, state}, _ -> {:next, state}
        end)

      for event <- [{:to, :b}, {:push, Entering}, {:to, :c}, :pop, {:to, :d}, {:change, Entering}, {:to, :e}],
          do: :gen_statem.cast(pid, event)

      log(pid)
    end)
  end

  test "sys: state, replaced state, status and code change" do
    check(fn ->
      pid = start(&keep/3)
      {state, machine} = :sys.get_state(pid)
      {:b, _} = :sys.replace_state(pid, fn {:a, machine} -> {:b, machine} end)
      :sys.suspend(pid)
      changed = :sys.change_code(pid, Plain, :old, :extra)
      :sys.resume(pid)
      {:status, ^pid, {:module, module}, [_, status, parent, _, _]} = :sys.get_status(pid)
      {state, machine.log, changed, log(pid), module, status, parent == self()}
    end)
  end
end
