defmodule Conformance.SysTest do
  # OTP's sys: system messages, and a special process that handles them itself.
  use Lockstep.Support.Conformance

  defmodule Counter do
    use GenServer
    def init(count), do: {:ok, count}
    def handle_call(:next, _from, count), do: {:reply, count, count + 1}
    def handle_cast(:add, count), do: {:noreply, count + 1}
    def handle_info(:add, count), do: {:noreply, count + 1}
    def terminate(reason, {:tell, pid}), do: send(pid, {:terminated, reason})
    def terminate(_reason, _count), do: :ok

    def code_change(version, count, extra),
      do: if(extra == :fail, do: {:error, :no}, else: {:ok, {count, version, extra}})
  end

  # The special process of OTP's design principles: a loop with system messages.
  defmodule Special do
    def start_link(main), do: :proc_lib.start_link(__MODULE__, :init, [self(), main])

    def init(parent, main) do
      Process.flag(:trap_exit, true)
      :proc_lib.init_ack(parent, {:ok, self()})
      loop(%{parent: parent, main: main, debug: :sys.debug_options([]), seen: []})
    end

    def loop(%{parent: parent} = state) do
      receive do
        {:system, from, request} ->
          :sys.handle_system_msg(request, from, parent, __MODULE__, state.debug, state)

        {:EXIT, ^parent, reason} ->
          exit({:parent, reason})

        message ->
          debug = :sys.handle_debug(state.debug, &write/3, __MODULE__, {:in, message})
          loop(%{state | debug: debug, seen: [message | state.seen]})
      end
    end

    defp write(_device, _event, _name), do: :ok

    def system_continue(_parent, debug, state), do: loop(%{state | debug: debug})
    def system_terminate(reason, _parent, _debug, state), do: exit({:terminated, reason, Enum.reverse(state.seen)})
    def system_get_state(state), do: {:ok, Enum.reverse(state.seen)}

    def system_replace_state(fun, state) do
      new = fun.(Enum.reverse(state.seen))
      {:ok, new, %{state | seen: Enum.reverse(new)}}
    end

    def system_code_change(state, module, version, extra) do
      {:ok, %{state | seen: [{module, version, extra} | state.seen]}}
    end
  end

  defp counter(options \\ []) do
    {:ok, pid} = GenServer.start_link(Counter, 0, options)
    pid
  end

  test "get_state and replace_state, also with a function that fails" do
    check(fn ->
      pid = counter()
      first = GenServer.call(pid, :next)
      replaced = :sys.replace_state(pid, &(&1 + 10))
      failed = plain(caught(fn -> :sys.replace_state(pid, fn _ -> exit(:no) end) end))
      {first, :sys.get_state(pid), replaced, kind(failed), :sys.get_state(pid)}
    end)
  end

  defp kind({kind, {reason, _}}) when is_atom(reason), do: {kind, reason}
  defp kind({kind, tuple}) when is_tuple(tuple), do: {kind, elem(tuple, 0)}
  defp kind({:exit, reason, module, function}), do: {:exit, reason, module, function}

  test "suspended, a server handles system messages only" do
    check(fn ->
      pid = counter()
      :ok = :sys.suspend(pid)
      GenServer.cast(pid, :add)
      send(pid, :add)
      call = caught(fn -> GenServer.call(pid, :next, 3) end)
      before = :sys.get_state(pid)
      {:status, _, _, [_, status | _]} = :sys.get_status(pid)
      :ok = :sys.resume(pid)
      {call, before, status, GenServer.call(pid, :next)}
    end)
  end

  test "suspended twice, resumed once" do
    check(fn ->
      pid = counter()
      {:sys.suspend(pid), :sys.suspend(pid, 100), :sys.resume(pid), :sys.resume(pid, 100), GenServer.call(pid, :next)}
    end)
  end

  test "a suspended server still ends with its parent and by stop" do
    check(fn ->
      main = self()
      {:ok, pid} = GenServer.start(Counter, {:tell, main})
      :sys.suspend(pid)
      ref = Process.monitor(pid)
      stopped = GenServer.stop(pid, :because)

      parent =
        spawn(fn ->
          {:ok, pid} = GenServer.start_link(Counter, {:tell, main})
          :sys.replace_state(pid, &tap(&1, fn _ -> Process.flag(:trap_exit, true) end))
          :sys.suspend(pid)
          exit(:parent_gone)
        end)

      ending(parent)
      {stopped, receive(do: ({:DOWN, ^ref, _, _, reason} -> reason)), flush(3)}
    end)
  end

  test "terminate" do
    check(fn ->
      {:ok, pid} = GenServer.start(Counter, {:tell, self()})
      ref = Process.monitor(pid)
      {:sys.terminate(pid, :because), receive(do: ({:DOWN, ^ref, _, _, reason} -> reason)), flush(1)}
    end)
  end

  test "change_code while suspended, while running, and one that fails" do
    check(fn ->
      pid = counter()
      running = :sys.change_code(pid, Counter, 1, :extra)
      :sys.suspend(pid)
      changed = :sys.change_code(pid, Counter, 1, :extra, 100)
      failed = :sys.change_code(pid, Counter, 2, :fail)
      :sys.resume(pid)
      {running, changed, failed, :sys.get_state(pid)}
    end)
  end

  test "the status of a server" do
    check(fn ->
      Process.register(self(), :the_parent)
      pid = counter(name: :the_counter)
      {:status, ^pid, {:module, module}, [dictionary, running, parent, debug, misc]} = :sys.get_status(:the_counter)
      header = misc |> Keyword.get_values(:header) |> Enum.map(&to_string/1)
      [{_, state}] = for({:data, [{~c"State", _} = state]} <- misc, do: state)
      keys = dictionary |> Keyword.take([:"$initial_call", :"$ancestors"]) |> Enum.sort()
      {module, keys, running, parent == self(), debug, header, state}
    end)
  end

  test "a log of events" do
    check(fn ->
      pid = counter()
      :ok = :sys.log(pid, {true, 3})
      for _ <- 1..2, do: GenServer.cast(pid, :add)
      2 = GenServer.call(pid, :next)
      {:ok, events} = :sys.log(pid, :get)
      :ok = :sys.log(pid, false)
      {Enum.map(events, &shape/1), :sys.log(pid, :get)}
    end)
  end

  defp shape({:in, {:"$gen_call", _from, request}}), do: {:in, :call, request}
  defp shape({:in, {:"$gen_cast", request}}), do: {:in, :cast, request}
  defp shape({:in, message, state}), do: {shape({:in, message}), state}
  defp shape({:out, message, _to, state}), do: {:out, message, state}
  defp shape({:noreply, state}), do: {:noreply, state}
  defp shape(other), do: other

  test "a log from the start, by an option" do
    check(fn ->
      pid = counter(debug: [:log])
      send(pid, :add)
      {:ok, events} = :sys.log(pid, :get)
      Enum.map(events, &shape/1)
    end)
  end

  test "statistics" do
    check(fn ->
      pid = counter()
      off = :sys.statistics(pid, :get)
      :ok = :sys.statistics(pid, true)
      for _ <- 1..3, do: GenServer.cast(pid, :add)
      GenServer.call(pid, :next)
      {:ok, statistics} = :sys.statistics(pid, :get)
      :ok = :sys.statistics(pid, false)
      keys = Keyword.keys(statistics)
      {off, keys, statistics[:messages_in], statistics[:messages_out], :sys.statistics(pid, :get)}
    end)
  end

  test "a debug function of one's own" do
    check(fn ->
      main = self()
      pid = counter()

      count = fn
        2, _event, _name -> :done
        seen, event, _name -> tap(seen + 1, fn _ -> send(main, {:debug, shape(event)}) end)
      end

      :ok = :sys.install(pid, {count, 0})
      again = :sys.install(pid, {count, 0})
      for _ <- 1..2, do: GenServer.cast(pid, :add)
      GenServer.call(pid, :next)
      :ok = :sys.install(pid, {:named, fn state, _, _ -> tap(state, fn _ -> send(main, :named) end) end, 0})
      GenServer.cast(pid, :add)
      removed = :sys.remove(pid, :named)
      GenServer.call(pid, :next)
      {again, removed, :sys.no_debug(pid), flush(1)}
    end)
  end

  test "of nobody, and of a process that does not listen" do
    check(fn ->
      deaf = spawn_link(fn -> Process.sleep(:infinity) end)

      {caught(fn -> :sys.get_state(:nobody_here) end), caught(fn -> :sys.get_state(deaf, 3) end),
       caught(fn -> :sys.suspend(deaf, 3) end)}
    end)
  end

  describe "a special process" do
    test "its state, suspension and code change" do
      check(fn ->
        {:ok, pid} = Special.start_link(self())
        send(pid, 1)
        :sys.suspend(pid)
        send(pid, 2)
        before = :sys.get_state(pid)
        changed = :sys.change_code(pid, Special, :old, :extra)
        :sys.resume(pid)
        wait_until(fn -> length(:sys.get_state(pid)) == 3 end)
        {before, changed, :sys.get_state(pid), :sys.replace_state(pid, &tl/1), :sys.get_state(pid)}
      end)
    end

    test "its log" do
      check(fn ->
        {:ok, pid} = Special.start_link(self())
        :sys.log(pid, true)
        send(pid, :hello)
        wait_until(fn -> :sys.get_state(pid) == [:hello] end)
        :sys.log(pid, :get)
      end)
    end

    test "its end" do
      check(fn ->
        Process.flag(:trap_exit, true)
        {:ok, pid} = Special.start_link(self())
        send(pid, :hello)
        stopped = caught(fn -> :proc_lib.stop(pid, :because, 100) end)
        {stopped, receive(do: ({:EXIT, ^pid, reason} -> reason))}
      end)
    end
  end
end
