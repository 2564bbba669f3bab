defmodule Lockstep.Runtime.EtsTest do
  use ExUnit.Case, async: true
  use Lockstep

  alias Lockstep.{Cluster, EscapeError, Runner}

  @types [:set, :ordered_set, :bag, :duplicate_bag]

  # Processes may be held back for longer than the usual 100 ms.
  @wait 60_000

  defp run(fun, options \\ []), do: Runner.run(fun, Keyword.merge([seeds: 3], options))

  describe "unordered tables are traversed in key order" do
    for type <- @types do
      test "#{type}" do
        run(fn ->
          keys = for n <- 100..999, do: :"key_#{n}"
          table = :ets.new(:table, [unquote(type)])
          for key <- Enum.shuffle(keys), do: :ets.insert(table, {key, 1})

          assert :ets.tab2list(table) == Enum.map(keys, &{&1, 1})
          assert :ets.match_object(table, {:_, 1}) == Enum.map(keys, &{&1, 1})
          assert :ets.match(table, {:"$1", :_}) == Enum.map(keys, &[&1])
          assert :ets.select(table, [{{:"$1", :_}, [], [:"$1"]}]) == keys
          assert :ets.foldl(fn {key, _}, acc -> [key | acc] end, [], table) == Enum.reverse(keys)
          # As in the VM, an unordered table has one direction only.
          from_the_right = if unquote(type) == :ordered_set, do: keys, else: Enum.reverse(keys)
          assert :ets.foldr(fn {key, _}, acc -> [key | acc] end, [], table) == from_the_right
        end)
      end

      test "#{type}, step by step" do
        run(fn ->
          keys = for n <- 10..40, do: :"key_#{n}"
          table = :ets.new(:table, [unquote(type)])
          for key <- Enum.shuffle(keys), do: :ets.insert(table, {key, 1})

          assert walk(:ets.first(table), &:ets.next(table, &1)) == keys
          assert chunks(:ets.select(table, [{{:"$1", :_}, [], [:"$1"]}], 7), &:ets.select/1) == keys
          assert chunks(:ets.match(table, {:"$1", :_}, 7), &:ets.match/1) == Enum.map(keys, &[&1])
          assert_raise ArgumentError, fn -> :ets.match(table, {:"$1", :_}, 0) end
        end)
      end
    end

    test "what is deleted between two chunks is not seen" do
      run(fn ->
        table = :ets.new(:table, [])
        :ets.insert(table, for(n <- 1..10, do: {n}))
        {first, continuation} = :ets.match_object(table, {:_}, 5)
        assert first == [{1}, {2}, {3}, {4}, {5}]
        :ets.delete(table, 7)
        assert {[{6}, {8}, {9}, {10}], :"$end_of_table"} = :ets.match_object(continuation)
      end)
    end

    test "next/2 of a key that is gone needs a fixed table" do
      run(fn ->
        table = :ets.new(:table, [])
        :ets.insert(table, for(n <- 1..3, do: {n}))
        :ets.safe_fixtable(table, true)
        :ets.delete(table, 2)
        assert :ets.next(table, 2) == 3
        :ets.safe_fixtable(table, false)
        assert_raise ArgumentError, fn -> :ets.next(table, 2) end
      end)
    end
  end

  defp walk(:"$end_of_table", _next), do: []
  defp walk(key, next), do: [key | walk(next.(key), next)]

  defp chunks(:"$end_of_table", _more), do: []
  defp chunks({found, continuation}, more), do: found ++ chunks(more.(continuation), more)

  describe "names" do
    test "are those of a node, and of a run" do
      run(fn ->
        Cluster.start_nodes([:a, :b])
        test = self()

        for node <- [:a, :b] do
          Cluster.spawn(node, fn ->
            :ets.new(:cache, [:named_table])
            :ets.insert(:cache, {:where, node()})
            send(test, {node, :ets.lookup(:cache, :where), :ets.info(:cache, :node), :ets.all()})
            Process.sleep(:infinity)
          end)
        end

        assert_receive {:a, [where: :a], :a, [:cache]}, @wait
        assert_receive {:b, [where: :b], :b, [:cache]}, @wait
        assert :ets.whereis(:cache) == :undefined
        assert_raise ArgumentError, fn -> :ets.lookup(:cache, :where) end
      end)
    end

    test "are free again when the table's owner has ended" do
      run(fn ->
        {pid, ref} = spawn_monitor(fn -> :ets.new(:mine, [:named_table]) end)
        assert_receive {:DOWN, ^ref, :process, ^pid, :normal}, @wait
        assert :ets.whereis(:mine) == :undefined
        assert :ets.new(:mine, [:named_table]) == :mine
        assert_raise ArgumentError, fn -> :ets.new(:mine, [:named_table]) end
        assert :ets.delete(:mine)
        assert :ets.info(:mine) == :undefined
      end)
    end

    test "a table's identity is of no use on another node" do
      run(fn ->
        Cluster.start_nodes([:a])
        table = :ets.new(:table, [:public])
        assert_raise ArgumentError, fn -> Cluster.run(:a, fn -> :ets.lookup(table, 1) end) end
      end)
    end
  end

  describe "what is told about a table" do
    test "is virtual where it is about identity" do
      run(fn ->
        table = :ets.new(:table, [:public, :bag])
        named = :ets.new(:named, [:named_table])
        info = :ets.info(table)
        assert {info[:id], info[:owner], info[:node], info[:named_table]} == {table, self(), node(), false}
        assert {info[:name], info[:type], info[:size], info[:protection]} == {:table, :bag, 0, :public}
        assert :ets.info(named, :named_table)
        assert :ets.whereis(named) == :ets.info(named, :id)
        assert :ets.all() == [table, named]
        assert Enum.all?(info, fn {item, value} -> item == :memory or :ets.info(table, item) == value end)
      end)
    end
  end

  describe "access" do
    test "a private table is its owner's" do
      run(fn ->
        table = :ets.new(:table, [:private])
        task = Task.async(fn -> catch_error(:ets.lookup(table, 1)) end)
        assert %ArgumentError{} = Exception.normalize(:error, Task.await(task))
      end)
    end

    test "two processes race for an entry" do
      {:failed, failure} =
        Runner.explore(
          fn ->
            table = :ets.new(:table, [:public])
            :ets.insert(table, {:count, 0})

            increment = fn ->
              [{:count, n}] = :ets.lookup(table, :count)
              :ets.insert(table, {:count, n + 1})
            end

            [increment, increment] |> Enum.map(&Task.async/1) |> Task.await_many()
            assert :ets.lookup(table, :count) == [count: 2]
          end,
          seeds: 200
        )

      assert {:crash, :error, %ExUnit.AssertionError{}, _} = failure.error
    end

    test "update_counter does not race" do
      run(
        fn ->
          table = :ets.new(:table, [:public])
          increment = fn -> :ets.update_counter(table, :count, 1, {:count, 0}) end
          [increment, increment] |> Enum.map(&Task.async/1) |> Task.await_many()
          assert :ets.lookup(table, :count) == [count: 2]
        end,
        seeds: 100
      )
    end
  end

  describe "errors" do
    test "look as if the VM had been asked" do
      run(fn ->
        error =
          try do
            :ets.lookup_element(:absent, :key, 2)
          rescue
            error -> {Exception.message(error), List.first(__STACKTRACE__)}
          end

        assert {message, {:ets, :lookup_element, [:absent, :key, 2], _}} = error
        assert message =~ "the table identifier does not refer to an existing ETS table"
      end)
    end

    test "a table of the world outside is an escape" do
      table = :ets.new(:outside, [:public])
      {:failed, failure} = Runner.explore(fn -> :ets.lookup(table, 1) end, seeds: 1, escapes: :raise)
      assert %EscapeError{module: :ets, function: :lookup, arity: 2} = failure.error
    end
  end

  test "outside a run tables are those of the VM" do
    table = :ets.new(:table, [:ordered_set])
    assert :ets.insert(table, [{1}, {2}])
    assert {[{1}], continuation} = :ets.match_object(table, {:_}, 1)
    assert {[{2}], _} = :ets.match_object(continuation)
    assert :ets.foldl(fn {n}, sum -> n + sum end, 0, table) == 3
    assert :ets.info(table, :size) == 2
  end
end
