defmodule Conformance.EtsOwnershipTest do
  # ETS: who owns a table, who gets it, and who is told.
  use Lockstep.Support.Conformance

  # A process that does `fun` and then waits; what `fun` returned, and the process.
  defp holder(fun) do
    main = self()

    pid =
      spawn(fn ->
        send(main, {:held, self(), fun.(main)})
        loop()
      end)

    receive(do: ({:held, ^pid, held} -> {pid, held}))
  end

  defp loop do
    receive do
      {:do, from, fun} ->
        send(from, {:done, self(), caught(fun)})
        loop()

      {:end, reason} ->
        exit(reason)
    end
  end

  defp ask(pid, fun) do
    send(pid, {:do, self(), fun})
    receive(do: ({:done, ^pid, result} -> result))
  end

  defp finish(pid, reason) do
    ref = Process.monitor(pid)
    send(pid, {:end, reason})
    receive(do: ({:DOWN, ^ref, _, _, reason} -> reason))
  end

  # What is in the mailbox, with processes and tables by name.
  defp told(names, time \\ 20) do
    for message <- flush(time), do: shown(message, names)
  end

  defp shown(message, names) when is_tuple(message),
    do: message |> Tuple.to_list() |> Enum.map(&shown(&1, names)) |> List.to_tuple()

  defp shown(term, names) when is_pid(term) or is_reference(term), do: Map.get(names, term, :other)
  defp shown(term, _names), do: term

  defp error(fun) do
    fun.()
  rescue
    error -> Exception.message(error)
  end

  describe "a table without an heir" do
    for {name, reason} <- [{"returns", :normal}, {"crashes", :oops}, {"is shut down", :shutdown}] do
      test "is gone when its owner #{name}" do
        check(fn ->
          {pid, table} = holder(fn _ -> :ets.new(:mine, [:named_table, :public]) end)
          before = {table, :ets.info(:mine, :owner) == pid, :ets.insert(:mine, {1})}
          reason = finish(pid, unquote(reason))
          {before, reason, :ets.whereis(:mine), :ets.info(:mine), error(fn -> :ets.lookup(:mine, 1) end)}
        end)
      end
    end

    test "is gone when its owner is killed" do
      check(fn ->
        {pid, table} = holder(fn _ -> :ets.new(:mine, [:public]) end)
        Process.exit(pid, :kill)
        {ending(pid) in [:killed, :noproc], :ets.info(table), error(fn -> :ets.lookup(table, 1) end)}
      end)
    end

    test "leaves its name to others" do
      check(fn ->
        {pid, _} = holder(fn _ -> :ets.new(:mine, [:named_table]) end)
        taken = error(fn -> :ets.new(:mine, [:named_table]) end)
        finish(pid, :normal)
        {taken, :ets.new(:mine, [:named_table]), :ets.info(:mine, :owner) == self()}
      end)
    end
  end

  describe "an heir" do
    for {name, reason} <- [{"normally", :normal}, {"by a crash", :oops}, {"by exit", {:shutdown, 1}}] do
      test "gets the tables of an owner that ends #{name}, in order, before the other signals" do
        check(fn ->
          Process.flag(:trap_exit, true)

          {pid, tables} =
            holder(fn main ->
              Process.link(main)
              first = :ets.new(:first, [{:heir, main, :one}])
              :ets.new(:second, [])
              third = :ets.new(:third, [:named_table, {:heir, main, {:three, [3]}}])
              fourth = :ets.new(:fourth, [:private, {:heir, main, nil}])
              :ets.insert(first, {1, :kept})
              {first, third, fourth}
            end)

          {first, :third, fourth} = tables
          ref = Process.monitor(pid)
          send(pid, {:end, unquote(reason)})
          told = told(%{pid => :owner, ref => :monitor, first => :first, fourth => :fourth})
          owned = for table <- Tuple.to_list(tables), do: :ets.info(table, :owner) == self()
          {told, owned, :ets.lookup(first, 1), :ets.insert(fourth, {1}), :ets.insert(:third, {1})}
        end)
      end
    end

    test "gets the tables of an owner that is killed" do
      check(fn ->
        {pid, table} = holder(fn main -> :ets.new(:table, [{:heir, main, :data}]) end)
        ref = Process.monitor(pid)
        Process.exit(pid, :kill)
        {told(%{pid => :owner, ref => :monitor, table => :table}), :ets.insert(table, {1}), :ets.tab2list(table)}
      end)
    end

    test "stays the heir of what it has inherited" do
      check(fn ->
        main = self()
        {pid, table} = holder(fn main -> :ets.new(:table, [{:heir, main, 1}]) end)
        before = :ets.info(table, :heir) == main
        finish(pid, :normal)
        {before, :ets.info(table, :heir) == main, length(told(%{}))}
      end)
    end

    test "that has ended before does not get anything" do
      check(fn ->
        {heir, _} = holder(fn _ -> nil end)
        {pid, table} = holder(fn _ -> :ets.new(:table, [:named_table, {:heir, heir, :data}]) end)
        known = :ets.info(table, :heir) == heir
        finish(heir, :normal)
        finish(pid, :normal)
        {known, :ets.info(table), :ets.whereis(:table)}
      end)
    end

    test "that is dead already is none" do
      check(fn ->
        {heir, _} = holder(fn _ -> nil end)
        finish(heir, :normal)
        table = :ets.new(:table, [{:heir, heir, :data}])
        other = :ets.new(:other, [{:heir, heir, :data}, {:heir, self(), 1}])
        {:ets.info(table, :heir), :ets.info(other, :heir) == self()}
      end)
    end

    test "passes a table on to nobody, unless it says so" do
      check(fn ->
        main = self()
        {heir, _} = holder(fn _ -> nil end)
        {pid, tables} = holder(fn _ -> for n <- [1, 2], do: :ets.new(:table, [{:heir, heir, n}]) end)
        [first, second] = tables
        finish(pid, :normal)
        owned = for table <- tables, do: :ets.info(table, :owner) == heir
        set = ask(heir, fn -> :ets.setopts(second, {:heir, main, :again}) end)
        finish(heir, :normal)
        {owned, set, :ets.info(first), told(%{heir => :heir, second => :second}), :ets.info(second, :owner) == main}
      end)
    end

    test "is set, changed and taken back" do
      check(fn ->
        main = self()

        {pid, table} =
          holder(fn main ->
            table = :ets.new(:table, [{:heir, main, 1}])
            :ets.setopts(table, {:heir, :none})
            none = :ets.info(table, :heir)
            :ets.setopts(table, [{:heir, main, 2}])
            empty = :ets.setopts(table, [])
            {table, none, empty}
          end)

        {table, none, empty} = table

        wrong =
          for options <- [
                [:set],
                :named_table,
                [{:heir, main, 1}, {:heir, :none}],
                {:heir, :nobody, 1},
                [{:keypos, 2}]
              ] do
            ask(pid, fn -> error(fn -> :ets.setopts(table, options) end) end)
          end

        others = error(fn -> :ets.setopts(table, {:heir, :none}) end)
        finish(pid, :normal)
        {none, empty, wrong, others, told(%{pid => :owner, table => :table})}
      end)
    end

    test "may be the owner itself" do
      check(fn ->
        {pid, table} = holder(fn _ -> :ets.new(:table, [{:heir, self(), 1}]) end)
        known = :ets.info(table, :heir) == pid
        finish(pid, :normal)
        {known, :ets.info(table)}
      end)
    end
  end

  describe "give_away" do
    test "makes another the owner, and tells it" do
      check(fn ->
        main = self()

        {pid, tables} =
          holder(fn main ->
            named = :ets.new(:named, [:named_table, :private])
            unnamed = :ets.new(:unnamed, [])
            :ets.insert(named, {1, :x})
            {:ets.give_away(named, main, :gift), :ets.give_away(unnamed, main, {:gift, 2}), unnamed}
          end)

        {true, true, unnamed} = tables
        told = told(%{pid => :giver, unnamed => :unnamed})
        lost = ask(pid, fn -> error(fn -> :ets.lookup(:named, 1) end) end)
        finish(pid, :normal)
        {told, lost, :ets.lookup(:named, 1), :ets.info(unnamed, :owner) == main, :ets.insert(unnamed, {2})}
      end)
    end

    test "what is wrong with it" do
      check(fn ->
        main = self()
        {dead, _} = holder(fn _ -> nil end)
        finish(dead, :normal)
        {pid, theirs} = holder(fn _ -> :ets.new(:theirs, [:public]) end)
        mine = :ets.new(:mine, [])
        gone = :ets.new(:gone, [])
        :ets.delete(gone)

        {error(fn -> :ets.give_away(mine, main, 1) end), error(fn -> :ets.give_away(mine, dead, 1) end),
         error(fn -> :ets.give_away(mine, :not_a_pid, 1) end), error(fn -> :ets.give_away(theirs, main, 1) end),
         error(fn -> :ets.give_away(gone, pid, 1) end), error(fn -> :ets.give_away(:never, pid, 1) end),
         :ets.info(mine, :owner) == main}
      end)
    end

    test "keeps the heir" do
      check(fn ->
        {pid, table} = holder(fn main -> :ets.new(:table, [{:heir, main, :inherited}]) end)
        {other, _} = holder(fn _ -> nil end)
        ask(pid, fn -> :ets.give_away(table, other, :gift) end)
        finish(pid, :normal)
        owned = :ets.info(table, :owner) == other
        finish(other, :normal)
        {owned, told(%{other => :other, table => :table}), :ets.info(table, :owner) == self()}
      end)
    end

    test "is found by a receive in the middle of other messages" do
      check(fn ->
        {pid, table} =
          holder(fn main ->
            send(main, :before)
            table = :ets.new(:table, [])
            :ets.give_away(table, main, :gift)
            send(main, :behind)
            table
          end)

        gift = receive(do: ({:"ETS-TRANSFER", ^table, ^pid, data} -> data))
        {gift, flush(), Process.info(self(), :message_queue_len)}
      end)
    end

    test "round a ring" do
      check(fn ->
        main = self()

        ring = fn ring ->
          receive do
            {:"ETS-TRANSFER", table, _, [next | rest]} ->
              :ets.update_counter(table, :hops, 1)
              :ets.give_away(table, next, rest)
              ring.(ring)

            :end ->
              :ok
          end
        end

        pids = for _ <- 1..4, do: spawn(fn -> ring.(ring) end)
        table = :ets.new(:table, [:private])
        :ets.insert(table, {:hops, 0})
        :ets.give_away(table, hd(pids), tl(pids) ++ [main])
        last = List.last(pids)
        receive(do: ({:"ETS-TRANSFER", ^table, ^last, []} -> :ets.lookup(table, :hops)))
      end)
    end

    test "a table manager: the worker dies, the heir gives the table to the next" do
      check(fn ->
        {worker, table} =
          holder(fn main ->
            table = :ets.new(:state, [:named_table, {:heir, main, :state}])
            :ets.insert(table, {:n, 1})
            table
          end)

        Process.monitor(worker)
        Process.exit(worker, :kill)
        transfer = receive(do: ({:"ETS-TRANSFER", ^table, ^worker, data} -> data))
        {next, _} = holder(fn _ -> nil end)
        :ets.give_away(table, next, :yours)
        owned = ask(next, fn -> {:ets.update_counter(:state, :n, 5), :ets.info(:state, :owner) == self()} end)
        down = receive(do: ({:DOWN, _, _, ^worker, reason} -> reason))
        kept = error(fn -> :ets.insert(:state, {1}) end)
        {transfer, owned, down, kept, finish(next, :normal), :ets.info(:state, :owner) == self()}
      end)
    end

    test "the receiver may be waiting, or not have come to it yet" do
      inside =
        check_among(fn ->
          main = self()

          receiver =
            spawn(fn ->
              send(main, {:seen, receive(do: ({:"ETS-TRANSFER", _, _, data} -> data), after: (0 -> :not_yet))})
            end)

          giver = holder(fn _ -> error(fn -> :ets.give_away(:ets.new(:table, []), receiver, :gift) end) end)
          {receive(do: ({:seen, seen} -> seen)), elem(giver, 1)}
        end)

      gone = "errors were found at the given arguments:\n\n  * 2nd argument: the pid refers to a terminated process\n"
      assert {:gift, true} in inside and {:not_yet, gone} in inside
    end
  end

  test "a name follows its table" do
    check(fn ->
      {pid, id} =
        holder(fn main ->
          :ets.new(:old, [:named_table, {:heir, main, :data}])
          :ets.rename(:old, :new)
          :ets.whereis(:new)
        end)

      finish(pid, :normal)
      {told(%{pid => :owner}), :ets.whereis(:new) == id, :ets.whereis(:old), :ets.info(id, :named_table)}
    end)
  end

  test "a process that dies lets go of the tables that it has fixed" do
    check(fn ->
      table = :ets.new(:table, [:public])
      {pid, _} = holder(fn _ -> :ets.safe_fixtable(table, true) end)
      before = :ets.info(table, :fixed)
      finish(pid, :normal)
      {before, :ets.info(table, :fixed), :ets.info(table, :safe_fixed)}
    end)
  end
end
