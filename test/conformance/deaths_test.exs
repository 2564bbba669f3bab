defmodule Conformance.DeathsTest do
  # The end of one process as others see it: what they are told, by how many signals, and in which order.
  use Lockstep.Support.Conformance

  # Ends with `reason` when told to.
  defp mortal(reason), do: spawn(fn -> receive(do: (:end -> exit(reason))) end)

  defp all(0), do: []
  defp all(count), do: [receive(do: (message -> message)) | all(count - 1)]

  # Messages with the given pids and references replaced by names.
  defp named(messages, names), do: Enum.map(messages, &name(&1, names))
  defp name(tuple, names) when is_tuple(tuple), do: tuple |> Tuple.to_list() |> named(names) |> List.to_tuple()
  defp name(term, names), do: Map.get(names, term, term)

  describe "one watcher" do
    test "is told once by each of its monitors" do
      check(fn ->
        pid = mortal(:over)
        refs = for _ <- 1..4, do: Process.monitor(pid)
        send(pid, :end)
        told = for {:DOWN, ref, :process, ^pid, :over} <- all(4), do: ref
        {Enum.sort(told) == Enum.sort(refs), flush()}
      end)
    end

    test "gets the link's signal and the monitor's" do
      outcomes =
        check_among(fn ->
          Process.flag(:trap_exit, true)
          pid = mortal(:over)
          Process.link(pid)
          Process.monitor(pid)
          send(pid, :end)
          for message <- all(2), do: elem(message, 0)
        end)

      assert outcomes -- [[:DOWN, :EXIT], [:EXIT, :DOWN]] == []
    end

    test "sees what was sent before the end first" do
      check(fn ->
        Process.flag(:trap_exit, true)
        main = self()

        {pid, ref} =
          spawn_monitor(fn ->
            for n <- 1..3, do: send(main, n)
            exit(:over)
          end)

        {named(all(4), %{pid => :it, ref => :ref}), flush()}
      end)
    end

    test "can take the name again as soon as it knows" do
      check(fn ->
        for _ <- 1..3 do
          main = self()

          {pid, ref} =
            spawn_monitor(fn ->
              Process.register(self(), :a_mortal)
              send(main, :registered)
            end)

          receive(do: (:registered -> :ok))
          receive(do: ({:DOWN, ^ref, _, ^pid, _} -> :ok))
          {Process.whereis(:a_mortal), Process.alive?(pid), pid in Process.list(), Process.info(pid)}
        end
      end)
    end

    test "knows by the link, too" do
      check(fn ->
        Process.flag(:trap_exit, true)
        main = self()

        pid =
          spawn_link(fn ->
            Process.register(self(), :a_mortal)
            send(main, :registered)
          end)

        receive(do: (:registered -> :ok))
        receive(do: ({:EXIT, ^pid, reason} -> reason))
        {Process.whereis(:a_mortal), Process.alive?(pid), pid in Process.list(), Process.info(pid, :links)}
      end)
    end

    test "is told of a named one by its name, of the same by its pid" do
      check(fn ->
        pid = mortal(:over)
        Process.register(pid, :a_mortal)
        by = [Process.monitor(:a_mortal), Process.monitor({:a_mortal, node()}), Process.monitor(pid)]
        send(pid, :end)

        for ref <- by do
          receive do
            {:DOWN, ^ref, :process, {name, node}, reason} -> {name, node == node(), reason}
            {:DOWN, ^ref, :process, ^pid, reason} -> {:pid, reason}
          end
        end
      end)
    end
  end

  describe "a ring of links" do
    for {trapping, count} <- [{[], 4}, {[2], 4}, {[1, 3], 4}, {[1, 2, 3, 4], 4}] do
      test "where #{inspect(trapping)} of #{count} trap exits" do
        check(fn ->
          main = self()

          ring =
            for n <- 1..unquote(count) do
              spawn_monitor(fn ->
                Process.flag(:trap_exit, n in unquote(trapping))
                receive(do: ({:link, pid} -> Process.link(pid)))
                send(main, :linked)
                receive(do: (:end -> exit({:end, n})), after: (1000 -> :ok))
              end)
            end

          pids = Enum.map(ring, &elem(&1, 0))
          for {pid, next} <- Enum.zip(pids, tl(pids) ++ [hd(pids)]), do: send(pid, {:link, next})
          for _ <- pids, do: receive(do: (:linked -> :ok))
          send(Enum.at(pids, 3), :end)
          for {pid, ref} <- ring, do: receive(do: ({:DOWN, ^ref, _, ^pid, reason} -> reason))
        end)
      end
    end
  end

  describe "a chain of links" do
    for reason <- [:kill, :killed, :normal, :shutdown, {:shutdown, :x}, :noproc, 1, "text"] do
      test "whose end is given #{inspect(reason)}" do
        check(fn ->
          main = self()
          Process.flag(:trap_exit, true)

          first =
            spawn_link(fn ->
              second =
                spawn_link(fn ->
                  third = spawn_link(fn -> Process.sleep(:infinity) end)
                  send(main, {:third, third})
                  Process.sleep(:infinity)
                end)

              send(main, {:second, second})
              Process.sleep(:infinity)
            end)

          third = receive(do: ({:third, pid} -> pid))
          second = receive(do: ({:second, pid} -> pid))
          refs = for pid <- [third, second], do: Process.monitor(pid)
          Process.exit(third, unquote(Macro.escape(reason)))
          ends = for ref <- refs, do: receive(do: ({:DOWN, ^ref, _, _, reason} -> reason), after: (30 -> :alive))
          exit = receive(do: ({:EXIT, ^first, reason} -> reason), after: (30 -> :alive))
          for pid <- [first, second, third], do: Process.exit(pid, :kill)
          {ends, exit}
        end)
      end
    end

    test "the signal comes from the neighbour, with the reason of the first" do
      check(fn ->
        main = self()
        Process.flag(:trap_exit, true)

        neighbour =
          spawn_link(fn ->
            send(main, {:far, spawn_link(fn -> receive(do: (:end -> exit(:far_away))) end)})
            Process.sleep(:infinity)
          end)

        far = receive(do: ({:far, pid} -> pid))
        send(far, :end)
        {named(all(1), %{neighbour => :neighbour, far => :far}), flush()}
      end)
    end
  end

  describe "trapping that changes" do
    test "before the other ends" do
      check(fn ->
        for {at_link, at_end} <- [{true, true}, {true, false}, {false, true}, {false, false}] do
          {pid, ref} =
            spawn_monitor(fn ->
              Process.flag(:trap_exit, at_link)
              other = mortal(:over)
              Process.link(other)
              before = Process.flag(:trap_exit, at_end)
              send(other, :end)
              receive(do: ({:EXIT, ^other, reason} -> exit({:told, before, reason})))
            end)

          receive(do: ({:DOWN, ^ref, _, ^pid, reason} -> reason))
        end
      end)
    end

    test "after the signal has become a message" do
      check(fn ->
        {pid, ref} =
          spawn_monitor(fn ->
            Process.flag(:trap_exit, true)
            {other, ref} = :erlang.spawn_opt(fn -> exit(:over) end, [:link, :monitor])
            receive(do: ({:DOWN, ^ref, _, _, _} -> :ok))
            Process.flag(:trap_exit, false)
            # One of both has come, and in whichever order they do, the link's counts as trapped only if it was first.
            receive(do: ({:EXIT, ^other, reason} -> exit({:told, reason})))
          end)

        receive(do: ({:DOWN, ^ref, _, ^pid, reason} -> reason in [:over, {:told, :over}]))
      end)
    end

    test "exit/2 goes on being a message" do
      check(fn ->
        Process.flag(:trap_exit, true)
        main = self()

        for reason <- [:normal, :other] do
          spawn(fn -> Process.exit(main, reason) end)
          receive(do: ({:EXIT, pid, ^reason} -> is_pid(pid)))
        end
      end)
    end
  end

  describe "many links" do
    test "of one that dies: everybody is told once" do
      check(fn ->
        main = self()
        center = mortal(:center)

        others =
          for n <- 1..6 do
            spawn_monitor(fn ->
              Process.flag(:trap_exit, rem(n, 2) == 0)
              Process.link(center)
              send(main, :linked)
              receive(do: ({:EXIT, ^center, reason} -> exit({n, reason})))
            end)
          end

        for _ <- others, do: receive(do: (:linked -> :ok))
        send(center, :end)
        ends = for {pid, ref} <- others, do: receive(do: ({:DOWN, ^ref, _, ^pid, reason} -> reason))
        {ends, flush()}
      end)
    end

    test "a parent that ends normally leaves its children alone, another end takes them along" do
      check(fn ->
        for reason <- [:normal, :shutdown, :kill] do
          main = self()

          {parent, ref} =
            spawn_monitor(fn ->
              send(main, {:children, for(_ <- 1..3, do: spawn_link(fn -> Process.sleep(:infinity) end))})
              receive(do: (:end -> exit(reason)))
            end)

          children = receive(do: ({:children, children} -> children))
          refs = Enum.map(children, &Process.monitor/1)
          send(parent, :end)
          own = receive(do: ({:DOWN, ^ref, _, _, reason} -> reason))
          theirs = for ref <- refs, do: receive(do: ({:DOWN, ^ref, _, _, reason} -> reason), after: (20 -> :alive))
          Enum.each(children, &Process.exit(&1, :kill))
          {own, theirs}
        end
      end)
    end

    test "unlinked at any time while the other ends: told or not, but never afterwards" do
      outcomes =
        check_among(fn ->
          Process.flag(:trap_exit, true)
          pid = spawn_link(fn -> exit(:over) end)
          Process.unlink(pid)
          told = receive(do: ({:EXIT, ^pid, reason} -> reason), after: (0 -> :not_told))
          {told, flush(20)}
        end)

      assert Enum.sort(outcomes) == [{:not_told, []}, {:over, []}]
    end

    test "linking, and being unlinked by the other side" do
      check(fn ->
        Process.flag(:trap_exit, true)
        main = self()

        pid =
          spawn_link(fn ->
            Process.unlink(main)
            send(main, :unlinked)
            receive(do: (:end -> exit(:over)))
          end)

        ref = Process.monitor(pid)
        receive(do: (:unlinked -> :ok))
        {:links, links} = Process.info(self(), :links)
        send(pid, :end)
        {pid in links, receive(do: ({:DOWN, ^ref, _, _, reason} -> reason)), flush(20)}
      end)
    end
  end
end
