defmodule Conformance.LinksTest do
  # Links, in every order of deaths.
  use Lockstep.Support.Conformance

  describe "a pair" do
    for reason <- [:normal, :shutdown, {:shutdown, 1}, :kill, :killed, :noproc, {:a, "tuple"}],
        trap <- [true, false] do
      test "one ends with #{inspect(reason)}, the other #{if trap, do: "traps", else: "does not trap"}" do
        check(fn ->
          {pid, ref} =
            spawn_monitor(fn ->
              Process.flag(:trap_exit, unquote(trap))
              other = spawn_link(fn -> exit(unquote(Macro.escape(reason))) end)
              other_ref = Process.monitor(other)
              receive(do: ({:DOWN, ^other_ref, _, _, _} -> :ok))
              exit({:still_here, for({:EXIT, ^other, reason} <- flush(2), do: reason)})
            end)

          receive(do: ({:DOWN, ^ref, _, ^pid, reason} -> reason))
        end)
      end
    end

    test "linked twice, one signal" do
      check(fn ->
        Process.flag(:trap_exit, true)
        pid = spawn_link(fn -> receive(do: (:go -> :ok)) end)
        linked = [Process.link(pid), Process.link(pid)]
        send(pid, :go)
        {linked, length(flush(5))}
      end)
    end

    test "linked from both sides, one signal" do
      check(fn ->
        Process.flag(:trap_exit, true)
        main = self()
        pid = spawn_link(fn -> send(main, Process.link(main)) && receive(do: (:go -> exit(:gone))) end)
        receive(do: (true -> send(pid, :go)))
        for {:EXIT, ^pid, reason} <- flush(5), do: reason
      end)
    end

    test "to oneself" do
      check(fn ->
        {_, ref} =
          spawn_monitor(fn ->
            linked = Process.link(self())
            {:links, links} = Process.info(self(), :links)
            Process.unlink(self())
            exit({linked, links})
          end)

        receive(do: ({:DOWN, ^ref, _, _, reason} -> reason))
      end)
    end

    test "unlinked, from either side" do
      check(fn ->
        Process.flag(:trap_exit, true)
        main = self()

        for who <- [:here, :there] do
          pid =
            spawn_link(fn ->
              if who == :there, do: Process.unlink(main)
              send(main, :ready)
              receive(do: (:go -> exit(:gone)))
            end)

          receive(do: (:ready -> :ok))
          if who == :here, do: Process.unlink(pid)
          ref = Process.monitor(pid)
          send(pid, :go)
          receive(do: ({:DOWN, ^ref, _, _, reason} -> {reason, flush(2)}))
        end
      end)
    end

    test "unlinking takes no message back that has come" do
      check(fn ->
        Process.flag(:trap_exit, true)
        pid = spawn_link(fn -> exit(:gone) end)
        Process.sleep(3)
        Process.unlink(pid)
        for {:EXIT, ^pid, reason} <- flush(2), do: reason
      end)
    end

    test "the reason of a process that raised has its stack" do
      check(fn ->
        Process.flag(:trap_exit, true)
        pid = spawn_link(fn -> :erlang.error(:boom) end)
        receive(do: ({:EXIT, ^pid, {:boom, [{_, _, _, place} | _]}} -> Keyword.keys(place)))
      end)
    end
  end

  describe "more than two" do
    test "a chain dies of the reason of its last" do
      check(fn ->
        main = self()
        Process.flag(:trap_exit, true)

        first =
          spawn_link(fn ->
            second =
              spawn_link(fn -> spawn_link(fn -> receive(do: (:go -> exit(:chain))) end) |> then(&wait(main, &1)) end)

            Process.info(second, :status)
            Process.sleep(:infinity)
          end)

        receive(do: ({:third, pid} -> send(pid, :go)))
        receive(do: ({:EXIT, ^first, reason} -> reason))
      end)
    end

    defp wait(main, pid) do
      send(main, {:third, pid})
      Process.sleep(:infinity)
    end

    test "one that traps in the middle stops it" do
      check(fn ->
        Process.flag(:trap_exit, true)

        middle =
          spawn_link(fn ->
            Process.flag(:trap_exit, true)
            last = spawn_link(fn -> exit(:last) end)
            receive(do: ({:EXIT, ^last, reason} -> exit({:stopped, reason})))
          end)

        receive(do: ({:EXIT, ^middle, reason} -> reason))
      end)
    end

    test "one end is told to many" do
      check(fn ->
        main = self()
        center = spawn(fn -> receive(do: (:go -> exit(:center))) end)

        watchers =
          for n <- 1..3 do
            spawn(fn ->
              Process.flag(:trap_exit, true)
              Process.link(center)
              send(main, :linked)
              receive(do: ({:EXIT, ^center, reason} -> send(main, {n, reason})))
            end)
          end

        for _ <- watchers, do: receive(do: (:linked -> :ok))
        send(center, :go)
        Enum.sort(for _ <- watchers, do: receive(do: ({n, reason} -> {n, reason})))
      end)
    end

    test "a normal end kills nobody and is told to those that trap" do
      check(fn ->
        main = self()
        trapping = spawn(fn -> trap_and_tell(main) end)
        receive(do: (:ready -> :ok))
        patient = spawn(fn -> receive(do: (:ask -> send(main, :alive))) end)
        ender = spawn(fn -> Process.link(trapping) && Process.link(patient) && :ok end)
        told = receive(do: ({:told, ^ender, reason} -> reason))
        send(patient, :ask)
        {told, receive(do: (:alive -> :alive))}
      end)
    end

    defp trap_and_tell(main) do
      Process.flag(:trap_exit, true)
      send(main, :ready)
      receive(do: ({:EXIT, from, reason} -> send(main, {:told, from, reason})))
    end
  end

  describe "the dead" do
    test "linked to, trapping and not" do
      check(fn ->
        {pid, ref} = spawn_monitor(fn -> :ok end)
        receive(do: ({:DOWN, ^ref, _, _, _} -> :ok))

        raised =
          try do
            Process.link(pid)
          rescue
            error in ErlangError ->
              {error.original, __STACKTRACE__ |> List.first() |> Tuple.to_list() |> Enum.take(2)}
          end

        Process.flag(:trap_exit, true)
        {raised, Process.link(pid), receive(do: ({:EXIT, ^pid, reason} -> reason)), Process.unlink(pid)}
      end)
    end

    test "linked to once more while the signal of their end is on its way" do
      check_among(fn ->
        main = self()
        {pid, ref} = spawn_monitor(fn -> receive(do: (:go -> exit(:gone))) end)

        {linker, linker_ref} =
          spawn_monitor(fn ->
            Process.link(pid)
            send(main, :linked)
            receive(do: (:again -> exit({:again, caught(fn -> Process.link(pid) end)})))
          end)

        receive(do: (:linked -> send(pid, :go)))
        receive(do: ({:DOWN, ^ref, _, _, _} -> send(linker, :again)))
        receive(do: ({:DOWN, ^linker_ref, _, _, reason} -> reason))
      end)
    end

    test "wrong arguments" do
      check(fn ->
        for fun <- [&Process.link/1, &Process.unlink/1, &Process.exit(&1, :x)] do
          try do
            fun.(:no_pid)
          rescue
            error in ArgumentError -> error.message
          end
        end
      end)
    end
  end

  test "a killed process tells its links that it was killed" do
    check(fn ->
      Process.flag(:trap_exit, true)
      pid = spawn_link(fn -> Process.sleep(:infinity) end)
      Process.exit(pid, :kill)
      receive(do: ({:EXIT, ^pid, reason} -> reason))
    end)
  end

  test "a group that dies together runs no cleaning up" do
    check(fn ->
      main = self()

      {_, ref} =
        spawn_monitor(fn ->
          spawn_link(fn ->
            try do
              send(main, :ready)
              Process.sleep(:infinity)
            after
              send(main, :cleaned)
            end
          end)

          receive(do: (:go -> exit(:together)))
        end)
        |> tap(fn {pid, _} -> receive(do: (:ready -> send(pid, :go))) end)

      {receive(do: ({:DOWN, ^ref, _, _, reason} -> reason)), flush(3)}
    end)
  end
end
