defmodule Lockstep.LimitsTest do
  # Counts the VM's processes and atoms: nothing else may run.
  use ExUnit.Case, async: false
  use Lockstep

  alias Lockstep.Runner

  # Far above what it takes (two seconds at most on an idle machine): this guards against a hang, not against a slow one.
  @within 10_000

  defp failed(fun, options \\ []) do
    started = System.monotonic_time(:millisecond)
    {:failed, failure} = Runner.explore(fun, Keyword.merge([seeds: 1, shrink: false], options))
    assert System.monotonic_time(:millisecond) - started < @within
    failure.error
  end

  describe "a run that cannot end is ended" do
    test "when nobody can run" do
      fun = fn ->
        main = self()

        waiter =
          spawn(fn ->
            Process.register(self(), :waiter)
            send(self(), {:unread, 42})
            send(main, :started)
            receive do: (:never -> :ok)
          end)

        receive do: (:started -> :ok)
        GenServer.call(waiter, :anything, :infinity)
      end

      assert %Lockstep.DeadlockError{processes: [main, waiter]} = error = failed(fun)
      assert %{label: "main", node: :nonode@nohost, unread: []} = main
      assert main.waiting_in =~ "gen"
      assert [unread | _] = waiter.unread
      assert unread == "{:unread, 42}"
      assert waiter.waiting_in =~ "limits_test.exs"
      assert Exception.message(error) =~ ":waiter"
    end

    test "when it takes too many steps" do
      fun = fn -> Enum.each(Stream.cycle([1]), fn _ -> :erlang.yield() end) end
      assert %Lockstep.StepLimitError{limit: 1000, busiest: ["main"]} = error = failed(fun, max_steps: 1000)
      assert Exception.message(error) =~ "it was main that went on"
    end

    test "when some of its processes take too many steps" do
      fun = fn ->
        for name <- [:ping, :pong] do
          pid = spawn(fn -> Enum.each(Stream.cycle([1]), fn _ -> receive(do: (to -> send(to, self()))) end) end)
          Process.register(pid, name)
        end

        send(:ping, Process.whereis(:pong))
        Process.sleep(:infinity)
      end

      assert %Lockstep.StepLimitError{busiest: busiest} = failed(fun, max_steps: 5000, seeds: 3)
      assert Enum.sort(busiest) == [":ping", ":pong"]
    end

    test "when it takes too much virtual time" do
      fun = fn -> Enum.each(Stream.cycle([1]), fn _ -> Process.sleep(1000) end) end
      assert %Lockstep.TimeLimitError{limit: 60_000} = failed(fun, max_virtual_time: 60_000)
    end

    test "when a process does not reach a scheduling point" do
      assert %Lockstep.WatchdogError{} = error = failed(fn -> spin(0) end, watchdog: 500)
      assert Exception.message(error) =~ "spin/1"
    end

    test "with the options left alone" do
      assert %Lockstep.WatchdogError{} = failed(fn -> spin(0) end)
    end
  end

  defp spin(n), do: spin(n + 1)

  test "processes that have ended leave nothing in the run's store" do
    Runner.run(
      fn ->
        Process.group_leader(self(), spawn(&wait/0))
        for _ <- 1..10, do: ended(spawn_monitor(fn -> exit(:crash) end))
        before = kept()
        for _ <- 1..100, do: ended(spawn_monitor(fn -> exit(:crash) end))
        assert kept() == before
        # Those that live have their leader there.
        spawn(&wait/0)
        assert kept() > before
      end,
      seeds: 5
    )
  end

  defp wait, do: receive(do: (:never -> :ok))
  defp ended({_pid, monitor}), do: receive(do: ({:DOWN, ^monitor, _, _, _} -> :ok))

  defp kept do
    store = Lockstep.Runtime.Context.get().store
    Lockstep.host(fn -> :ets.info(store, :size) end)
  end

  test "a thousand runs leave no process, no table and no atom behind" do
    run = fn seeds ->
      Runner.run(&busy/0, seeds: seeds)
      for fun <- [&deadlock/0, &crash/0], do: {:failed, _} = Runner.explore(fun, seeds: 1)
    end

    run.(1..20)
    before = census()
    run.(1000..2000)
    # Something else may come or go meanwhile, but not a thousand times.
    for {now, then} <- Enum.zip(census(), before), do: assert(now - then < 50)
  end

  defp census do
    :erlang.garbage_collect()
    [length(Process.list()), length(:ets.all()), :erlang.system_info(:atom_count)]
  end

  defp busy do
    {:ok, agent} = Agent.start_link(fn -> 0 end)
    for _ <- 1..2, do: spawn(fn -> Process.sleep(:infinity) end)
    :ets.new(:left_behind, [:named_table])
    Agent.update(agent, &(&1 + 1))
  end

  defp deadlock do
    receive do: (:never -> :ok)
  end

  defp crash, do: raise("on purpose")
end
