defmodule Conformance.MonitorsTest do
  # Monitors: of whom, with what options, and how they end.
  use Lockstep.Support.Conformance

  defp wrong(fun) do
    fun.()
  rescue
    error in ArgumentError ->
      [{module, function, args, _} | _] = __STACKTRACE__
      {error.message, module, function, arity(args)}
  end

  defp dead do
    {pid, ref} = spawn_monitor(fn -> :ok end)
    receive(do: ({:DOWN, ^ref, _, _, _} -> pid))
  end

  # Ends with whatever it is sent.
  defp obedient, do: spawn(fn -> receive(do: (reason -> exit(reason))) end)

  describe "of whom" do
    test "a process, by pid and by name, in all forms of the name" do
      check(fn ->
        pid = obedient()
        Process.register(pid, :the_watched)
        refs = [Process.monitor(pid), Process.monitor(:the_watched), Process.monitor({:the_watched, node()})]
        send(pid, :bye)

        for ref <- refs do
          receive(do: ({:DOWN, ^ref, :process, object, reason} -> {object == pid || object, reason}))
        end
      end)
    end

    test "a monitor by name stays with the process that had it" do
      check(fn ->
        first = obedient()
        second = obedient()
        Process.register(first, :moving)
        ref = Process.monitor(:moving)
        Process.unregister(:moving)
        Process.register(second, :moving)
        send(second, :second)
        early = flush(3)
        send(first, :first)
        {early, receive(do: ({:DOWN, ^ref, _, object, reason} -> {object == {:moving, node()}, reason}))}
      end)
    end

    test "nobody: the dead, no name, no node" do
      check(fn ->
        pid = dead()

        for item <- [pid, :nobody_here, {:nobody_here, node()}, {:nobody_here, :nobody@nowhere}] do
          case caught(fn -> Process.monitor(item) end) do
            ref when is_reference(ref) ->
              receive(do: ({:DOWN, ^ref, :process, object, reason} -> {object == item, reason}))

            other ->
              other
          end
        end
        |> Enum.take(3)
      end)
    end

    test "oneself: nothing is set up" do
      check(fn ->
        Process.register(self(), :watching_itself)
        refs = [Process.monitor(self()), Process.monitor(:watching_itself)]
        aliased = :erlang.monitor(:process, self(), alias: :demonitor)
        send(aliased, :lost)
        {:monitors, monitors} = Process.info(self(), :monitors)
        {monitors, for(ref <- refs, do: :erlang.demonitor(ref, [:info])), flush(2)}
      end)
    end

    test "the same process many times" do
      check(fn ->
        pid = obedient()
        refs = for _ <- 1..4, do: Process.monitor(pid)
        Process.demonitor(Enum.at(refs, 1))
        send(pid, :bye)

        for(_ <- 1..3, do: receive(do: ({:DOWN, ref, _, ^pid, :bye} -> Enum.find_index(refs, &(&1 == ref)))))
        |> Enum.sort()
      end)
    end

    test "the time offset" do
      check(fn ->
        ref = :erlang.monitor(:time_offset, :clock_service)
        tagged = :erlang.monitor(:time_offset, :clock_service, tag: :tag)
        {:monitors, monitors} = Process.info(self(), :monitors)

        {is_reference(ref), monitors, flush(2), :erlang.demonitor(ref, [:info]), :erlang.demonitor(ref, [:info]),
         :erlang.demonitor(tagged)}
      end)
    end

    test "wrong arguments" do
      check(fn ->
        [
          wrong(fn -> :erlang.monitor(:foo, self()) end),
          wrong(fn -> :erlang.monitor(:process, 1) end),
          wrong(fn -> :erlang.monitor(:process, {:a, "b"}) end),
          wrong(fn -> :erlang.monitor(:process, self(), [:x]) end),
          wrong(fn -> :erlang.monitor(:process, self(), alias: :foo) end),
          wrong(fn -> :erlang.monitor(:process, self(), tag: 1, foo: 2) end),
          wrong(fn -> :erlang.monitor(:process, self(), [{:tag, 1} | 2]) end),
          wrong(fn -> :erlang.monitor(:time_offset, :foo) end),
          wrong(fn -> :erlang.monitor(:port, 1) end)
        ]
      end)
    end
  end

  describe "what it tells" do
    test "of every kind of end" do
      check(fn ->
        for reason <- [:normal, :shutdown, {:shutdown, 1}, :kill, :killed, {:any, %{term: 1}}] do
          pid = obedient()
          ref = Process.monitor(pid)
          send(pid, reason)
          receive(do: ({:DOWN, ^ref, :process, ^pid, reason} -> reason))
        end
      end)
    end

    test "with a tag, of any term" do
      check(fn ->
        for tag <- [:tag, {:a, 1}, %{a: 1}, "text", nil] do
          pid = obedient()
          ref = :erlang.monitor(:process, pid, tag: tag)
          send(pid, :bye)
          receive(do: ({tag, ^ref, :process, ^pid, reason} -> {tag, reason}))
        end
      end)
    end

    test "the latest tag counts" do
      check(fn ->
        ref = :erlang.monitor(:process, dead(), tag: :first, tag: :second)
        receive(do: ({tag, ^ref, _, _, reason} -> {tag, reason}))
      end)
    end

    test "after all messages of the process" do
      check(fn ->
        main = self()
        {_pid, _ref} = spawn_monitor(fn -> for n <- 1..3, do: send(main, n) end)
        for message <- flush(5), do: if(is_integer(message), do: message, else: elem(message, 0))
      end)
    end

    test "to everybody who watches" do
      check(fn ->
        main = self()
        pid = obedient()

        for n <- 1..3 do
          spawn_link(fn ->
            ref = Process.monitor(pid)
            send(main, :ready)
            receive(do: ({:DOWN, ^ref, _, _, reason} -> send(main, {n, reason})))
          end)
        end

        for _ <- 1..3, do: receive(do: (:ready -> :ok))
        send(pid, :bye)
        Enum.sort(for _ <- 1..3, do: receive(do: ({n, reason} -> {n, reason})))
      end)
    end

    test "that a watcher has ended is told to nobody" do
      check(fn ->
        main = self()
        pid = obedient()
        {watcher, ref} = spawn_monitor(fn -> Process.monitor(pid) && send(main, :watching) end)
        receive(do: (:watching -> :ok))
        receive(do: ({:DOWN, ^ref, _, ^watcher, _} -> :ok))
        {:monitored_by, by} = Process.info(pid, :monitored_by)
        send(pid, :bye)
        {by, flush(3)}
      end)
    end
  end

  describe "demonitor" do
    test "before, after, twice; with and without flush and info" do
      check(fn ->
        for options <- [[], [:flush], [:info], [:flush, :info], [:info, :flush]], moment <- [:living, :dead, :told] do
          pid = obedient()
          ref = Process.monitor(pid)
          if moment != :living, do: send(pid, :bye)
          if moment == :dead, do: wait_until(fn -> not Process.alive?(pid) end)
          if moment == :told, do: receive(do: ({:DOWN, ^ref, _, _, _} -> :ok))
          if moment == :dead, do: Process.sleep(2)
          first = :erlang.demonitor(ref, options)
          if moment == :living, do: send(pid, :bye)
          {options, moment, first, length(flush(2)), :erlang.demonitor(ref, options)}
        end
      end)
    end

    test "of another's monitor, and of no monitor" do
      check(fn ->
        main = self()
        pid = obedient()

        spawn_link(fn ->
          ref = :erlang.monitor(:process, pid, alias: :demonitor)
          send(main, ref)
          send(main, {:got, flush(5)})
        end)

        ref = receive(do: (ref when is_reference(ref) -> ref))

        taken =
          {:erlang.demonitor(ref, [:info]), :erlang.demonitor(make_ref(), [:info]), :erlang.demonitor(make_ref())}

        send(ref, :through_the_alias)
        send(pid, :bye)
        {taken, receive(do: ({:got, [message, {:DOWN, ^ref, _, _, reason}]} -> {message, reason}))}
      end)
    end

    test "wrong arguments" do
      check(fn ->
        [
          wrong(fn -> :erlang.demonitor(:x) end),
          wrong(fn -> :erlang.demonitor(:x, []) end),
          wrong(fn -> :erlang.demonitor(make_ref(), [:x]) end),
          wrong(fn -> :erlang.demonitor(make_ref(), [:flush | :x]) end)
        ]
      end)
    end

    test "flush takes only its own message" do
      check(fn ->
        pids = for _ <- 1..2, do: obedient()
        [first, second] = for pid <- pids, do: Process.monitor(pid)
        send(self(), :between)
        for pid <- pids, do: send(pid, :bye)
        Process.sleep(3)
        Process.demonitor(first, [:flush])
        for message <- flush(), do: if(message == :between, do: message, else: elem(message, 1) == second)
      end)
    end
  end
end
