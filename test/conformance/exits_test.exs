defmodule Conformance.ExitsTest do
  # exit/2, what processes end with, and what hibernation leaves of them.
  use Lockstep.Support.Conformance

  # The monitor is there from the start: the process may be gone before another could be set.
  defp ended({_pid, ref}), do: receive(do: ({:DOWN, ^ref, _, _, reason} -> plain(reason)))

  describe "exit/2 to oneself" do
    for reason <- [:normal, :kill, :other], trap <- [true, false] do
      test "#{reason}, #{if trap, do: "trapping", else: "not trapping"}" do
        check(fn ->
          ended(
            spawn_monitor(fn ->
              Process.flag(:trap_exit, unquote(trap))
              returned = Process.exit(self(), unquote(reason))
              exit({:survived, returned, for({:EXIT, pid, reason} <- flush(), do: {pid == self(), reason})})
            end)
          )
        end)
      end
    end

    test "nothing after it runs, no cleaning up either" do
      check(fn ->
        main = self()

        reason =
          ended(
            spawn_monitor(fn ->
              try do
                Process.exit(self(), :gone)
                send(main, :after_exit)
              catch
                kind, reason -> send(main, {kind, reason})
              after
                send(main, :cleaned)
              end
            end)
          )

        {reason, flush(2)}
      end)
    end
  end

  describe "exit/2 to another" do
    test "to the dead and to nobody" do
      check(fn ->
        {pid, ref} = spawn_monitor(fn -> :ok end)
        receive(do: ({:DOWN, ^ref, _, _, _} -> :ok))
        {Process.exit(pid, :kill), Process.exit(pid, :normal)}
      end)
    end

    test "several signals, all trapped, in order" do
      check(fn ->
        main = self()

        pid =
          spawn_link(fn ->
            Process.flag(:trap_exit, true)
            send(main, :ready)
            for _ <- 1..4, do: receive(do: ({:EXIT, ^main, reason} -> send(main, reason)))
          end)

        receive(do: (:ready -> :ok))
        for reason <- [:a, :normal, {:b, 1}, :shutdown], do: Process.exit(pid, reason)
        for _ <- 1..4, do: receive(do: (reason -> reason))
      end)
    end

    test "kill cannot be trapped, killed can" do
      check(fn ->
        main = self()

        for reason <- [:kill, :killed] do
          pid =
            spawn(fn ->
              Process.flag(:trap_exit, true)
              send(main, :ready)
              receive(do: (message -> exit({:trapped, message})))
            end)

          receive(do: (:ready -> :ok))
          ref = Process.monitor(pid)
          Process.exit(pid, reason)

          receive do
            {:DOWN, ^ref, _, _, {:trapped, {:EXIT, ^main, reason}}} -> {:trapped, reason}
            {:DOWN, ^ref, _, _, reason} -> reason
          end
        end
      end)
    end

    test "the first signal counts" do
      check(fn ->
        pid = spawn(fn -> Process.sleep(:infinity) end)
        ref = Process.monitor(pid)
        Process.exit(pid, :first)
        Process.exit(pid, :second)
        receive(do: ({:DOWN, ^ref, _, _, reason} -> reason))
      end)
    end

    test "is over when is_process_alive says so" do
      check(fn ->
        pid = spawn(fn -> Process.sleep(:infinity) end)
        before = Process.alive?(pid)
        Process.exit(pid, :kill)
        {before, Process.alive?(pid), Process.info(pid), Process.info(pid, :status)}
      end)
    end
  end

  describe "reasons" do
    for {name, code} <- [
          caught_before: quote(do: try(do: exit(:a), catch: (:exit, :a -> exit(:b)))),
          throw_out: quote(do: throw({:a, 1})),
          rethrown: quote(do: try(do: exit(:a), catch: (:exit, r -> exit({:again, r})))),
          badarity: quote(do: (fn _ -> :ok end).()),
          badfun: quote(do: Process.get(:nothing).()),
          case_clause: quote(do: case(Process.get(:nothing), do: (1 -> 1))),
          function_clause: quote(do: :lists.nth(0, [])),
          noproc: quote(do: GenServer.call(:nobody_here, :x)),
          own_stack: quote(do: exit({:boom, [{:m, :f, 1, []}]})),
          with_tuple: quote(do: exit({:shutdown, %{a: 1}}))
        ] do
      test "of #{name}" do
        check(fn -> ended(spawn_monitor(fn -> unquote(code) end)) end)
      end
    end

    test "a process without a catch that has cleaned up" do
      check(fn ->
        main = self()

        pid =
          spawn(fn ->
            try do
              receive(do: (:go -> exit(:gone)))
            after
              send(main, :cleaned)
            end
          end)

        ref = Process.monitor(pid)
        send(pid, :go)
        first = receive(do: (message -> message))
        {first, receive(do: ({:DOWN, ^ref, _, _, reason} -> reason))}
      end)
    end
  end

  describe "hibernate" do
    test "what would catch and clean up is gone" do
      check(fn ->
        main = self()

        pid =
          spawn(fn ->
            try do
              :erlang.hibernate(:erlang, :exit, [:woken])
            catch
              kind, reason -> send(main, {kind, reason})
            after
              send(main, :cleaned)
            end
          end)

        ref = Process.monitor(pid)
        Process.sleep(2)
        send(pid, :wake)
        reason = receive(do: ({:DOWN, ^ref, _, _, reason} -> reason))
        {reason, flush(2)}
      end)
    end

    test "there is nothing to return to" do
      check(fn ->
        main = self()
        pid = spawn(fn -> :erlang.hibernate(:erlang, :send, [main, :done]) && send(main, :returned) end)
        ref = Process.monitor(pid)
        send(pid, :wake)
        reason = receive(do: ({:DOWN, ^ref, _, _, reason} -> reason))
        {reason, flush(2)}
      end)
    end

    test "a message that is there already wakes it, and is not taken" do
      check(fn ->
        main = self()

        spawn(fn ->
          send(self(), :already)
          :erlang.hibernate(:erlang, :apply, [fn -> receive(do: (m -> send(main, {:found, m}))) end, []])
        end)

        receive(do: ({:found, message} -> message))
      end)
    end

    test "a receive afterwards has its own timeout" do
      check(fn ->
        main = self()

        pid =
          spawn(fn ->
            later = fn -> receive(do: (:never -> :no), after: (3 -> send(main, {:timeout, flush()}))) end
            :erlang.hibernate(:erlang, :apply, [later, []])
          end)

        send(pid, :wake)
        receive(do: ({:timeout, left} -> left))
      end)
    end

    test "the dictionary, links and flags stay" do
      check(fn ->
        main = self()
        Process.flag(:trap_exit, true)

        pid =
          spawn_link(fn ->
            Process.put(:kept, 1)
            Process.flag(:trap_exit, true)
            :erlang.hibernate(:erlang, :apply, [fn -> exit({Process.get(:kept), flush()}) end, []])
          end)

        Process.sleep(2)
        Process.exit(pid, :wake)
        receive(do: ({:EXIT, ^pid, {1, [{:EXIT, ^main, reason}]}} -> reason))
      end)
    end

    test "what it looks like from outside" do
      check(fn ->
        main = self()

        items = [
          :current_function,
          :current_stacktrace,
          :current_location,
          :initial_call,
          :status,
          :message_queue_len
        ]

        pid = spawn_link(fn -> send(main, :ready) && :erlang.hibernate(:erlang, :self, []) end)
        receive(do: (:ready -> :ok))
        Process.sleep(3)
        Process.info(pid, items)
      end)
    end

    test "of a function that fails" do
      check(fn ->
        for {module, function, args} <- [{:erlang, :error, [:foo]}, {:no_such, :f, []}, {:erlang, :throw, [:x]}] do
          pid = spawn(fn -> :erlang.hibernate(module, function, args) end)
          ref = Process.monitor(pid)
          send(pid, :wake)
          receive(do: ({:DOWN, ^ref, _, _, reason} -> reason))
        end
      end)
    end

    test "wrong arguments" do
      check(fn ->
        for {module, function, args} <- [{1, :a, []}, {:a, 1, []}, {:a, :a, :x}] do
          try do
            :erlang.hibernate(module, function, args)
          rescue
            error in ArgumentError -> error.message
          end
        end
      end)
    end

    test "a process of proc_lib keeps its crash report" do
      check(fn ->
        {:ok, pid} = :proc_lib.start(:erlang, :apply, [fn -> hibernating() end, []])
        ref = Process.monitor(pid)
        send(pid, :wake)
        receive(do: ({:DOWN, ^ref, _, _, reason} -> reason))
      end)
    end

    defp hibernating do
      :proc_lib.init_ack({:ok, self()})
      :proc_lib.hibernate(:erlang, :exit, [:woken])
    end
  end

  test "yielding and the like" do
    check(fn ->
      dead = spawn(fn -> :ok end)
      ending(dead)
      pid = spawn_link(fn -> Process.sleep(:infinity) end)

      {:erlang.yield(), :erlang.bump_reductions(10), :erlang.garbage_collect(), :erlang.garbage_collect(pid),
       :erlang.garbage_collect(dead), :erlang.garbage_collect(pid, type: :minor),
       :erlang.garbage_collect(pid, async: :a), :erlang.garbage_collect(dead, async: :b), Enum.sort(flush(3)),
       for(
         fun <- [fn -> :erlang.garbage_collect(:x) end, fn -> :erlang.garbage_collect(pid, [:x]) end],
         do: caught(fun)
       )}
    end)
  end
end
