Code.require_file("support.exs", __DIR__)

defmodule Distribution.LocalTest do
  @moduledoc """
  What works only on a process's own node, and nodes that are not part of a distributed system: each rule on simulated nodes,
  over many seeds. What real nodes do is in `test/oracle`.
  """
  use ExUnit.Case, async: true
  use Lockstep

  import Distribution.Support

  alias Lockstep.Cluster

  # What a process of `:b` has that is of use to nobody on `:a`.
  defp belongings do
    %{
      pid: self(),
      ref: make_ref(),
      timer: :erlang.send_after(100_000, self(), :late),
      atomics: :atomics.new(1, []),
      counters: :counters.new(1, []),
      table: :ets.new(:table, [:public]),
      named: :ets.new(:named, [:public, :named_table])
    }
  end

  # Each in a process of its own on `:a`: what it comes to.
  defp on_a(operations) do
    Cluster.start_nodes([:a, :b])
    theirs = tell(recorder(:b), fn -> belongings() end)
    for {name, operation} <- operations, do: {name, Cluster.run(:a, fn -> outcome(fn -> operation.(theirs) end) end)}
  end

  defp outcome(fun) do
    fun.()
  catch
    kind, reason -> {kind, reason}
  end

  defp all(operations, outcome), do: for({name, _} <- operations, do: {name, outcome})

  defp mine, do: :ets.new(:mine, [])

  test "R-LOC what asks about a process" do
    operations = [
      alive: &:erlang.is_process_alive(&1.pid),
      info: &:erlang.process_info(&1.pid),
      info_item: &:erlang.process_info(&1.pid, :links),
      info_items: &:erlang.process_info(&1.pid, [:links, :status])
    ]

    run(fn -> assert on_a(operations) == all(operations, {:error, :badarg}) end)

    run(fn ->
      Cluster.start_nodes([:a, :b])
      remote = recorder(:b)

      Cluster.run(:a, fn ->
        assert_raise ArgumentError, fn -> Process.alive?(remote) end
        assert_raise ArgumentError, fn -> Process.info(remote) end
        assert_raise ArgumentError, fn -> Process.info(remote, :links) end
      end)
    end)
  end

  test "R-LOC what acts on a process" do
    operations = [
      register: &:erlang.register(:theirs, &1.pid),
      suspend: &:erlang.suspend_process(&1.pid),
      suspend_later: &:erlang.suspend_process(&1.pid, [:asynchronous]),
      suspend_and_tell: &:erlang.suspend_process(&1.pid, asynchronous: :done),
      resume: &:erlang.resume_process(&1.pid),
      garbage_collect: &:erlang.garbage_collect(&1.pid),
      garbage_collect_later: &:erlang.garbage_collect(&1.pid, async: 1),
      flag: &:erlang.process_flag(&1.pid, :save_calls, 0)
    ]

    run(fn -> assert on_a(operations) == all(operations, {:error, :badarg}) end)
  end

  test "R-LOC what is not simulated" do
    operations = [
      trace: &:erlang.trace(&1.pid, true, [:send]),
      display: &:erlang.process_display(&1.pid, :backtrace)
    ]

    run(fn -> assert on_a(operations) == all(operations, {:error, :badarg}) end, escapes: :allow)
  end

  test "R-LOC timers, also for a name of another node" do
    operations = [
      send_after: &:erlang.send_after(1, &1.pid, :hello),
      send_after_options: &:erlang.send_after(1, &1.pid, :hello, abs: false),
      send_after_name: fn _ -> :erlang.send_after(1, {:name, :b}, :hello) end,
      send_after_own_name: fn _ -> :erlang.send_after(1, {:name, :a}, :hello) end,
      start_timer: &:erlang.start_timer(1, &1.pid, :hello),
      start_timer_name: fn _ -> :erlang.start_timer(1, {:name, :b}, :hello) end
    ]

    run(fn -> assert on_a(operations) == all(operations, {:error, :badarg}) end)
  end

  test "R-LOC references of another node" do
    refused = [
      demonitor: &:erlang.demonitor(&1.ref),
      demonitor_info: &:erlang.demonitor(&1.ref, [:flush, :info]),
      atomics: &:atomics.get(&1.atomics, 1),
      atomics_put: &:atomics.put(&1.atomics, 1, 1),
      atomics_info: &:atomics.info(&1.atomics),
      counters: &:counters.get(&1.counters, 1),
      counters_put: &:counters.put(&1.counters, 1, 1)
    ]

    run(fn -> assert on_a(refused) == all(refused, {:error, :badarg}) end)

    unknown = [
      unalias: &:erlang.unalias(&1.ref),
      abandon: &:erlang.spawn_request_abandon(&1.ref),
      read_timer: &:erlang.read_timer(&1.timer),
      cancel_timer: &:erlang.cancel_timer(&1.timer),
      cancel_no_timer: &:erlang.cancel_timer(&1.ref)
    ]

    run(fn -> assert on_a(unknown) == all(unknown, false) end)
  end

  test "R-LOC tables" do
    operations = [
      give_away: &:ets.give_away(mine(), &1.pid, nil),
      heir: &:ets.new(:mine, [{:heir, &1.pid, nil}]),
      new_heir: &:ets.setopts(mine(), {:heir, &1.pid, nil}),
      lookup: &:ets.lookup(&1.table, :key),
      insert: &:ets.insert(&1.table, {:key}),
      all: &:ets.tab2list(&1.table),
      info: &:ets.info(&1.table),
      info_item: &:ets.info(&1.table, :size),
      delete: &:ets.delete(&1.table),
      named: &:ets.lookup(&1.named, :key)
    ]

    run(fn -> assert on_a(operations) == all(operations, {:error, :badarg}) end)

    run(fn ->
      assert on_a(whereis: fn _ -> {:ets.whereis(:named), :ets.info(:named)} end)[:whereis] ==
               {:undefined, :undefined}
    end)
  end

  test "R-LOC what is allowed" do
    operations = [
      group_leader: &:erlang.group_leader(:erlang.group_leader(), &1.pid),
      link: &:erlang.link(&1.pid),
      unlink: &:erlang.unlink(&1.pid),
      exit: &:erlang.exit(&1.pid, :normal)
    ]

    run(fn -> assert on_a(operations) == all(operations, true) end)

    run(fn ->
      assert on_a(monitor: &is_reference(:erlang.monitor(:process, &1.pid)), send: &send(&1.pid, :hi)) == [
               monitor: true,
               send: :hi
             ]
    end)
  end

  test "R-LOC names of another node's registry" do
    run(
      fn ->
        Cluster.start_nodes([:a, :b], start: fn -> {:ok, _} = Registry.start_link(keys: :unique, name: :on_both) end)
        registry = fn -> Registry.start_link(keys: :unique, name: :on_b) && Registry.register(:on_b, :key, nil) end
        tell(recorder(:b), registry)

        Cluster.run(:a, fn ->
          assert_raise ArgumentError, "unknown registry: :on_b", fn ->
            GenServer.call({:via, Registry, {:on_b, :key}}, 1)
          end

          assert Registry.lookup(:on_both, :key) == []
        end)
      end,
      seeds: 1..30
    )
  end
end
