defmodule MnesiaTest do
  # OTP's own mnesia on three simulated nodes, with its schema and tables in memory.
  use ExUnit.Case, async: false
  use Lockstep

  alias Lockstep.{Cluster, Runner}

  @moduletag :capture_log
  @moduletag timeout: 600_000

  @nodes [:a, :b, :c]
  # Seconds. A side notices a silent cut after half of it at the earliest, and after a quarter more of it at the latest.
  @ticktime 4
  @noticed 2_000..5_500

  defp sweep(program, seeds), do: Runner.run(program, seeds: seeds, escapes: :raise, check_determinism: true)

  defp found(program, within) do
    assert {:failed, failure} = Runner.explore(program, seeds: 1..within, escapes: :raise, shrink: false)
    assert {:crash, :error, %ExUnit.AssertionError{}, _} = failure.error
  end

  defp start(options \\ []) do
    Cluster.start_nodes(@nodes, env: [kernel: [net_ticktime: @ticktime]])
    for node <- @nodes, do: :ok = on(node, fn -> :mnesia.start() end)
    {:ok, others} = on(:a, fn -> :mnesia.change_config(:extra_db_nodes, [:b, :c]) end)
    assert Enum.sort(others) == [:b, :c]
    {:atomic, :ok} = on(:a, fn -> :mnesia.create_table(:t, [ram_copies: @nodes] ++ options) end)
    for node <- @nodes, do: :ok = on(node, fn -> :mnesia.wait_for_tables([:t], 5_000) end)
    # What is told of all this arrives late.
    Process.sleep(1_000)
  end

  defp on(node, fun), do: Cluster.run(node, fun)

  defp together(nodes \\ @nodes, fun) do
    nodes |> Enum.map(fn node -> Task.async(fn -> on(node, fun) end) end) |> Task.await_many(:infinity)
  end

  defp each(fun), do: Enum.map(@nodes, &on(&1, fun))
  defp rows, do: Enum.sort(:mnesia.dirty_match_object({:t, :_, :_}))
  defp running, do: Enum.sort(:mnesia.system_info(:running_db_nodes))
  defp write(key, value), do: :mnesia.transaction(fn -> :mnesia.write({:t, key, value}) end)
  defp write_everywhere(key, value), do: :mnesia.sync_transaction(fn -> :mnesia.write({:t, key, value}) end)

  defp timed(fun) do
    start = System.monotonic_time(:millisecond)
    result = fun.()
    {System.monotonic_time(:millisecond) - start, result}
  end

  # Who listens on each node tells, when asked, what there was to hear.
  defp listen(subscription) do
    test = self()

    for node <- @nodes do
      pid =
        Cluster.spawn(node, fn ->
          {:ok, ^node} = :mnesia.subscribe(subscription)
          send(test, :listening)
          hear([])
        end)

      assert_receive :listening
      {node, pid}
    end
  end

  defp hear(events) do
    receive do
      {:heard?, from} ->
        send(from, {:heard, self(), Enum.reverse(events)})
        hear(events)

      event ->
        hear([event | events])
    end
  end

  defp heard(listeners, node) do
    pid = listeners[node]
    send(pid, {:heard?, self()})
    assert_receive {:heard, ^pid, events}
    events
  end

  defp down(node), do: {:mnesia_system_event, {:mnesia_down, node}}

  defp inconsistent(node),
    do: {:mnesia_system_event, {:inconsistent_database, :running_partitioned_network, node}}

  defp split do
    Cluster.partition([:a], [:b, :c], :tcp)
    Process.sleep(10_000)
  end

  # Healing connects nobody: somebody has to.
  defp reconnect do
    Cluster.heal()
    :pong = on(:a, fn -> Node.ping(:b) end)
    Process.sleep(5_000)
    assert each(fn -> Enum.sort(Node.list()) end) == [[:b, :c], [:a, :c], [:a, :b]]
  end

  describe "three nodes" do
    test "share a schema in memory and the tables in it" do
      sweep(
        fn ->
          start(type: :ordered_set, index: [3])
          assert each(&running/0) == List.duplicate(@nodes, 3)
          assert each(fn -> :mnesia.table_info(:t, :where_to_read) end) == @nodes
          rows = for i <- 1..6, do: {:t, i, rem(i, 2)}
          on(:b, fn -> {:atomic, :ok} = :mnesia.sync_transaction(fn -> Enum.each(rows, &:mnesia.write/1) end) end)
          assert each(&rows/0) == List.duplicate(rows, 3)

          on(:c, fn ->
            assert {:atomic, 21} = :mnesia.transaction(fn -> :mnesia.foldl(&(elem(&1, 1) + &2), 0, :t) end)

            assert {:atomic, [{:t, 2, 0}, {:t, 4, 0}, {:t, 6, 0}]} =
                     :mnesia.transaction(fn -> :mnesia.index_read(:t, 0, 3) end)

            assert {:aborted, :enough} =
                     :mnesia.transaction(fn -> :mnesia.delete({:t, 1}) && :mnesia.abort(:enough) end)

            assert :mnesia.dirty_first(:t) == 1
          end)
        end,
        20
      )
    end

    test "have no disk" do
      sweep(
        fn ->
          Cluster.start_nodes(@nodes)
          assert on(:b, fn -> :mnesia.create_schema([:b]) end) == {:error, {:has_no_disc, :b}}
          start()

          on(:a, fn ->
            refute :mnesia.system_info(:use_dir)
            assert {:aborted, {:has_no_disc, :a}} = :mnesia.change_table_copy_type(:t, :a, :disc_copies)
            assert {:aborted, _} = :mnesia.create_table(:d, disc_copies: [:a])
            assert {:atomic, :ok} = :mnesia.del_table_copy(:t, :b)
          end)
        end,
        20
      )
    end

    test "take transactions one after the other" do
      sweep(
        fn ->
          start()
          together(fn -> {:atomic, :ok} = :mnesia.transaction(fn -> add_one() end) end)
          Process.sleep(1_000)
          assert each(&rows/0) == List.duplicate([{:t, :x, 3}], 3)
        end,
        20
      )
    end

    test "take locks in any order without a deadlock" do
      sweep(
        fn ->
          start()

          together(fn ->
            keys = if node() == :b, do: [:x, :y], else: [:y, :x]
            {:atomic, _} = :mnesia.transaction(fn -> for key <- keys, do: :mnesia.write({:t, key, node()}) end)
          end)

          Process.sleep(1_000)
          assert [[{:t, :x, winner}, {:t, :y, winner}] = rows, rows, rows] = each(&rows/0)
        end,
        20
      )
    end

    test "tell what becomes of a table, wherever it is written" do
      sweep(
        fn ->
          start()
          listeners = listen({:table, :t, :simple})
          {:atomic, :ok} = on(:a, fn -> write_everywhere(:x, 1) end)
          on(:b, fn -> :mnesia.sync_dirty(fn -> :mnesia.delete({:t, :x}) end) end)
          Process.sleep(1_000)

          for node <- @nodes do
            assert [{:mnesia_table_event, {:write, {:t, :x, 1}, _}}, {:mnesia_table_event, {:delete, {:t, :x}, _}}] =
                     heard(listeners, node)
          end
        end,
        20
      )
    end

    test "bring one that has crashed up to date" do
      sweep(
        fn ->
          start()
          listeners = listen(:system)
          {:atomic, :ok} = on(:c, fn -> write_everywhere(1, :before) end)
          Cluster.crash_node(:c)
          {:atomic, :ok} = on(:a, fn -> write(2, :meanwhile) end)
          Process.sleep(1_000)
          Cluster.start_node(:c)
          :ok = on(:c, fn -> :mnesia.start(extra_db_nodes: [:a, :b]) end)
          :ok = on(:c, fn -> :mnesia.wait_for_tables([:schema, :t], 5_000) end)
          {:atomic, :ok} = on(:c, fn -> write(3, :again) end)
          Process.sleep(1_000)
          assert [[{:t, 1, :before}, {:t, 2, :meanwhile}, {:t, 3, :again}] = rows, rows, rows] = each(&rows/0)
          up = {:mnesia_system_event, {:mnesia_up, :c}}
          for node <- [:a, :b], do: assert(heard(listeners, node) == [down(:c), up])
        end,
        20
      )
    end
  end

  describe "a network that goes silent" do
    test "is waited for, and nobody knows of it if it comes back in time" do
      sweep(
        fn ->
          start()
          listeners = listen(:system)
          Cluster.partition([:a], [:b, :c], :tcp)
          written = Task.async(fn -> on(:a, fn -> timed(fn -> write(:x, 1) end) end) end)
          Process.sleep(1_000)
          Cluster.heal()
          assert {ms, {:atomic, :ok}} = Task.await(written, :infinity)
          assert ms in 900..2_000
          Process.sleep(10_000)
          assert each(&rows/0) == List.duplicate([{:t, :x, 1}], 3)
          for node <- @nodes, do: assert(heard(listeners, node) == [])
        end,
        20
      )
    end

    test "blocks transactions until it is noticed, and each side then commits alone" do
      sweep(
        fn ->
          start()
          Cluster.partition([:a], [:b, :c], :tcp)

          for {ms, result} <- together([:a, :b], fn -> timed(fn -> write(:k, node()) end) end) do
            assert result == {:atomic, :ok}
            assert ms in @noticed
          end

          Process.sleep(1_000)
          assert each(&running/0) == [[:a], [:b, :c], [:b, :c]]
          assert each(&rows/0) == [[{:t, :k, :a}], [{:t, :k, :b}], [{:t, :k, :b}]]
        end,
        20
      )
    end

    test "leaves tables that differ, of which both sides are told when they are connected again" do
      sweep(
        fn ->
          start()
          listeners = listen(:system)
          split()
          together([:a, :b], fn -> {:atomic, :ok} = write(:k, node()) end)
          reconnect()
          assert each(&rows/0) == [[{:t, :k, :a}], [{:t, :k, :b}], [{:t, :k, :b}]]
          assert each(&running/0) == [[:a], [:b, :c], [:b, :c]]

          assert [down1, down2, inconsistent1, inconsistent2] = heard(listeners, :a)
          assert Enum.sort([down1, down2]) == [down(:b), down(:c)]
          assert Enum.sort([inconsistent1, inconsistent2]) == [inconsistent(:b), inconsistent(:c)]
          for node <- [:b, :c], do: assert(heard(listeners, node) == [down(:a), inconsistent(:a)])
        end,
        20
      )
    end
  end

  describe "a split brain" do
    # The side of `:a` is one of three.
    defp diverge(recover) do
      start()
      for node <- @nodes, do: Cluster.spawn(node, fn -> watch(recover) end)
      Process.sleep(1_000)
      split()
      together([:a, :b], fn -> write(:k, node()) end)
      reconnect()
      Process.sleep(30_000)
      assert [rows, rows, rows] = each(&rows/0)
      assert rows == [{:t, :k, :b}]
      assert each(&running/0) == List.duplicate(@nodes, 3)
    end

    defp watch(recover) do
      {:ok, _} = :mnesia.subscribe(:system)
      receive do: ({:mnesia_system_event, {:inconsistent_database, _, _}} -> recover.())
    end

    # Not at once: mnesia does not bear to be stopped while nodes come up.
    defp give_in do
      if node() == :a do
        Process.sleep(1_000)
        :stopped = :mnesia.stop()
        :ok = :mnesia.start(extra_db_nodes: [:b, :c])
        :ok = :mnesia.wait_for_tables([:t], 5_000)
      end
    end

    test "is not mended by itself" do
      found(fn -> diverge(fn -> :ok end) end, 1)
    end

    test "is mended by the side that starts anew" do
      sweep(fn -> diverge(&give_in/0) end, 20)
    end

    test "is avoided by tables that want a majority" do
      sweep(
        fn ->
          start(majority: true)
          split()
          assert {:aborted, {:no_majority, :t}} = on(:a, fn -> write(:k, node()) end)
          assert {:atomic, :ok} = on(:b, fn -> write(:k, node()) end)
        end,
        20
      )
    end
  end

  describe "dirty operations" do
    defp add_one do
      n = with [{:t, :x, n}] <- :mnesia.read(:t, :x), do: n, else: ([] -> 0)
      :mnesia.write({:t, :x, n + 1})
    end

    defp add_up(add) do
      start()
      together(add)
      Process.sleep(1_000)
      assert each(&rows/0) == List.duplicate([{:t, :x, 3}], 3)
    end

    test "lose what others have written since they have read" do
      found(fn -> add_up(fn -> :mnesia.async_dirty(&add_one/0) end) end, 20)
    end

    test "leave copies that differ when two nodes write at once" do
      program = fn write ->
        start()
        together([:a, :b], write)
        Process.sleep(1_000)
        assert [[{:t, :x, _}] = rows, rows, rows] = each(&rows/0)
      end

      found(fn -> program.(fn -> :mnesia.dirty_write({:t, :x, node()}) end) end, 100)
      sweep(fn -> program.(fn -> {:atomic, :ok} = write(:x, node()) end) end, 20)
    end

    # Both updates take effect, says mnesia's manual. On a key that is there they do. On a new one the first to see that
    # there is none overwrites what has been counted meanwhile; two processes of a plain VM lose one update of 1,000 so.
    test "lose updates of a counter that is new" do
      found(fn -> add_up(fn -> :mnesia.dirty_update_counter(:t, :x, 1) end) end, 200)
    end

    test "keep all updates of a counter that is there" do
      sweep(
        fn ->
          start()
          on(:a, fn -> :mnesia.sync_dirty(fn -> :mnesia.write({:t, :x, 0}) end) end)
          together(fn -> :mnesia.dirty_update_counter(:t, :x, 1) end)
          Process.sleep(1_000)
          assert each(&rows/0) == List.duplicate([{:t, :x, 3}], 3)
        end,
        20
      )
    end
  end
end
