defmodule Conformance.EtsTest do
  # ETS: what is in tables, and what is told about them. Where the VM leaves the order open, the program sorts.
  use Lockstep.Support.Conformance

  @types [:set, :ordered_set, :bag, :duplicate_bag]

  defp filled(type, objects) do
    table = :ets.new(:table, [type, :public])
    :ets.insert(table, objects)
    table
  end

  # The whole message, and where it was raised: the arguments of the call included, but for the table.
  defp raised(fun) do
    fun.()
  rescue
    error ->
      [{module, function, args, _} | _] = __STACKTRACE__
      args = if is_list(args), do: Enum.map(args, &if(is_reference(&1), do: :ref, else: &1)), else: args
      {error.__struct__, Exception.message(error), module, function, args}
  end

  defp chunks(:"$end_of_table", _more), do: [:end]
  defp chunks({found, :"$end_of_table"}, _more), do: [found, :last]
  defp chunks({found, continuation}, more), do: [found | chunks(more.(continuation), more)]

  defp steps(:"$end_of_table", _step), do: []
  defp steps(key, step), do: [key | steps(step.(key), step)]

  for type <- @types do
    describe "a #{type}" do
      test "insert, lookup, member, delete" do
        check(fn ->
          table = filled(unquote(type), [{:a, 1}, {:b, 2}, {:a, 3}, {:a, 1}])
          :ets.insert(table, {:b, 2})
          before = {:ets.lookup(table, :a), :ets.lookup(table, :b), :ets.lookup(table, :c), :ets.member(table, :a)}
          deleted = {:ets.delete(table, :a), :ets.delete(table, :c), :ets.delete_object(table, {:b, 3})}
          {before, deleted, :ets.member(table, :a), :ets.lookup(table, :b), :ets.info(table, :size)}
        end)
      end

      test "keys that are equal, and keys that are the same" do
        check(fn ->
          table = filled(unquote(type), [{1, :integer}, {1.0, :float}, {{1}, :tuple}, {{1.0}, :other}])

          {:ets.lookup(table, 1), :ets.lookup(table, 1.0), :ets.lookup(table, {1.0}), :ets.member(table, {1}),
           length(:ets.tab2list(table))}
        end)
      end

      test "insert_new of one and of several" do
        check(fn ->
          table = filled(unquote(type), [{:a, 1}])

          {:ets.insert_new(table, {:a, 2}), :ets.insert_new(table, {:b, 2}),
           :ets.insert_new(table, [{:c, 1}, {:a, 9}]), :ets.insert_new(table, [{:d, 1}, {:d, 2}]),
           :ets.insert_new(table, []), Enum.sort(:ets.tab2list(table))}
        end)
      end

      test "take and delete_object" do
        check(fn ->
          table = filled(unquote(type), [{:a, 1}, {:a, 2}, {:b, 1}, {:a, 2}])
          :ets.delete_object(table, {:a, 2})
          {:ets.take(table, :a), :ets.take(table, :a), :ets.take(table, :b), :ets.tab2list(table)}
        end)
      end

      test "lookup_element" do
        check(fn ->
          table = filled(unquote(type), [{:a, 1, :x}, {:a, 2, :y}])

          {:ets.lookup_element(table, :a, 2), :ets.lookup_element(table, :a, 3),
           raised(fn -> :ets.lookup_element(table, :a, 4) end), raised(fn -> :ets.lookup_element(table, :b, 2) end),
           raised(fn -> :ets.lookup_element(table, :a, 0) end)}
        end)
      end

      test "the objects of one key, by every way to get them" do
        check(fn ->
          table = filled(unquote(type), for(n <- [3, 1, 2, 5, 4], do: {:key, n}))
          some = [{{:_, :"$1"}, [{:>, :"$1", 1}], [:"$1"]}]
          one = [{{:key, :"$1"}, [], [:"$1"]}]

          {:ets.tab2list(table), :ets.select(table, some), :ets.select(table, one), :ets.match(table, {:_, :"$1"}),
           :ets.match_object(table, {:key, :_}), :ets.select_reverse(table, some), :ets.foldl(&[&1 | &2], [], table),
           :ets.foldr(&[&1 | &2], [], table), :ets.lookup_element(table, :key, 2)}
        end)
      end

      test "the objects of one key, in chunks" do
        check(fn ->
          table = filled(unquote(type), for(n <- [3, 1, 2, 5, 4], do: {:key, n}))
          all = [{{:_, :"$1"}, [], [:"$1"]}]
          one = [{{:key, :"$1"}, [], [:"$1"]}]

          for limit <- 1..6 do
            {chunks(:ets.select(table, all, limit), &:ets.select/1),
             chunks(:ets.select(table, one, limit), &:ets.select/1),
             chunks(:ets.select_reverse(table, all, limit), &:ets.select_reverse/1),
             chunks(:ets.match(table, {:_, :"$1"}, limit), &:ets.match/1),
             chunks(:ets.match_object(table, {:key, :_}, limit), &:ets.match_object/1)}
          end
        end)
      end

      test "all keys are found in chunks of any size" do
        check(fn ->
          table = filled(unquote(type), for(n <- 1..20, do: {n, rem(n, 3)}))

          for limit <- [1, 3, 20, 21] do
            found = chunks(:ets.match_object(table, {:_, 0}, limit), &:ets.match_object/1)
            {found |> Enum.filter(&is_list/1) |> Enum.map(&length/1), found |> List.flatten() |> Enum.sort()}
          end
        end)
      end

      test "steps from key to key" do
        check(fn ->
          table = filled(unquote(type), for(n <- 1..9, do: {{n, to_string(n)}, n}))
          forward = steps(:ets.first(table), &:ets.next(table, &1))
          backward = steps(:ets.last(table), &:ets.prev(table, &1))
          {Enum.sort(forward), Enum.sort(backward), forward == backward, raised(fn -> :ets.next(table, :none) end)}
        end)
      end

      test "a fixed table lets one go on from a key that is gone" do
        check(fn ->
          table = filled(unquote(type), for(n <- 1..9, do: {n}))
          :ets.safe_fixtable(table, true)

          seen =
            steps(:ets.first(table), fn key ->
              :ets.delete(table, key)
              :ets.next(table, key)
            end)

          :ets.safe_fixtable(table, false)
          {Enum.sort(seen), :ets.info(table, :size), :ets.first(table)}
        end)
      end

      test "slots" do
        check(fn ->
          table = filled(unquote(type), for(n <- [1, 2, 3, 1], do: {n, n}))
          slots = Stream.iterate(0, &(&1 + 1)) |> Stream.map(&:ets.slot(table, &1)) |> Enum.take_while(&is_list/1)
          found = slots |> Enum.concat() |> Enum.sort()
          {found, raised(fn -> :ets.slot(table, -1) end), elem(raised(fn -> :ets.slot(table, 100_000) end), 1)}
        end)
      end

      test "select_delete, select_count, select_replace" do
        check(fn ->
          table = filled(unquote(type), for(n <- 1..9, do: {n, n}))
          even = [{{:"$1", :"$2"}, [{:==, {:rem, :"$2", 2}, 0}], [true]}]
          counted = :ets.select_count(table, even)
          deleted = :ets.select_delete(table, even)
          replace = [{{:"$1", :"$2"}, [{:>, :"$2", 4}], [{{:"$1", {:*, :"$2", 10}}}]}]
          replaced = raised(fn -> :ets.select_replace(table, replace) end)
          {counted, deleted, replaced, :ets.match_delete(table, {1, :_}), Enum.sort(:ets.tab2list(table))}
        end)
      end

      test "update_counter and update_element" do
        check(fn ->
          table = filled(unquote(type), [{:a, 1, 5}])

          {raised(fn -> :ets.update_counter(table, :a, 3) end),
           raised(fn -> :ets.update_counter(table, :a, {3, 3, 6, 0}) end),
           raised(fn -> :ets.update_counter(table, :a, [{2, 1}, {3, -1}]) end),
           raised(fn -> :ets.update_counter(table, :b, 1, {:b, 10}) end),
           raised(fn -> :ets.update_counter(table, :c, 1) end),
           raised(fn -> :ets.update_counter(table, :a, {1, 1}) end),
           raised(fn -> :ets.update_element(table, :a, {2, :x}) end),
           raised(fn -> :ets.update_element(table, :a, [{2, :y}, {3, :z}]) end),
           raised(fn -> :ets.update_element(table, :nobody, {2, :x}) end),
           raised(fn -> :ets.update_element(table, :a, {1, :x}) end), Enum.sort(:ets.tab2list(table))}
        end)
      end

      test "delete_all_objects, and a table filled again" do
        check(fn ->
          table = filled(unquote(type), for(n <- 1..9, do: {n}))
          _ = :ets.first(table)
          true = :ets.delete_all_objects(table)
          empty = {:ets.first(table), :ets.last(table), :ets.tab2list(table), :ets.select(table, [{:_, [], [1]}], 3)}
          :ets.insert(table, [{3}, {4}])
          {empty, Enum.sort(steps(:ets.first(table), &:ets.next(table, &1)))}
        end)
      end
    end
  end

  describe "ordered sets" do
    test "go through their keys in term order, both ways" do
      check(fn ->
        keys = [3, 1.5, :atom, "text", {1, 2}, [1], 2, {1}, ~c"b", -7, nil, [], {}, 1.0e10, <<1::3>>]
        table = filled(:ordered_set, for(key <- keys, do: {key, key}))

        {:ets.tab2list(table), steps(:ets.last(table), &:ets.prev(table, &1)), :ets.foldr(&[&1 | &2], [], table),
         :ets.next(table, 2.5), :ets.prev(table, 2.5), :ets.slot(table, 3), :ets.slot(table, length(keys))}
      end)
    end

    test "select with half a key" do
      check(fn ->
        table = filled(:ordered_set, for(a <- 1..3, b <- [:x, :y], do: {{a, b}, a}))
        half = [{{{2, :"$1"}, :_}, [], [:"$1"]}]

        {:ets.select(table, half), chunks(:ets.select(table, half, 1), &:ets.select/1),
         chunks(:ets.select_reverse(table, half, 1), &:ets.select/1), :ets.select_reverse(table, half)}
      end)
    end

    test "a chunk goes on behind its last key, whatever has become of that" do
      check(fn ->
        table = filled(:ordered_set, for(n <- 1..6, do: {n * 10}))
        {first, continuation} = :ets.match(table, {:"$1"}, 2)
        :ets.delete(table, 20)
        :ets.delete(table, 40)
        :ets.insert(table, [{15}, {35}])
        {first, chunks(:ets.match(continuation), &:ets.match/1)}
      end)
    end
  end

  # Of later releases; where they are missing, so must they be in a run.
  describe "functions of later releases" do
    for type <- @types do
      test "keys with their objects, in a #{type}" do
        check(fn ->
          table = filled(unquote(type), [{:key, 1}, {:key, 2}])

          for {function, args} <- [first_lookup: [], last_lookup: [], next_lookup: [:key], prev_lookup: [:key]] do
            raised(fn -> apply(:ets, function, [table | args]) end)
          end
        end)
      end

      test "all keys with their objects, in a #{type}" do
        check(fn ->
          table = filled(unquote(type), for(n <- 1..20, do: {n, n * n}))
          step = fn {key, objects} -> {objects, apply(:ets, :next_lookup, [table, key])} end
          walk = fn -> Stream.unfold(apply(:ets, :first_lookup, [table]), &((is_tuple(&1) && step.(&1)) || nil)) end
          raised(fn -> walk.() |> Enum.concat() |> Enum.sort() end)
        end)
      end

      test "defaults for what is not there, in a #{type}" do
        check(fn ->
          table = filled(unquote(type), [{:key, 1}])

          {raised(fn -> apply(:ets, :lookup_element, [table, :none, 2, :default]) end),
           raised(fn -> apply(:ets, :lookup_element, [table, :key, 2, :default]) end),
           raised(fn -> apply(:ets, :lookup_element, [table, :key, 3, :default]) end),
           raised(fn -> apply(:ets, :update_element, [table, :none, {2, :new}, {:none, 0}]) end),
           raised(fn -> apply(:ets, :update_element, [table, :key, {2, :new}, {:key, 0}]) end),
           Enum.sort(:ets.tab2list(table))}
        end)
      end
    end
  end

  describe "match specifications" do
    test "several clauses, several keys, guards, parts of maps" do
      check(fn ->
        table = filled(:set, for(n <- 1..9, do: {n, %{n: n, even: rem(n, 2) == 0}}))

        specs = [
          [{{1, :"$1"}, [], [:"$1"]}, {{2, :"$1"}, [], [{{:"$1"}}]}, {{77, :_}, [], [1]}],
          [{{:"$1", %{even: true}}, [{:orelse, {:<, :"$1", 3}, {:>, :"$1", 7}}], [:"$1"]}],
          [{{:"$1", %{n: :"$2"}}, [], [{:+, :"$1", :"$2"}]}],
          [{{:"$1", :_}, [], [{:element, 9, :"$_"}]}],
          [{{:"$2", :"$1"}, [{:==, :"$2", 3}], [:"$$"]}],
          [{:_, [], [:ok]}],
          []
        ]

        for spec <- specs, do: raised(fn -> Enum.sort(:ets.select(table, spec)) end)
      end)
    end

    test "what is no specification" do
      check(fn ->
        table = filled(:bag, [{1, 2}])

        for spec <- [
              :atom,
              [{:a}],
              [{:_, :x, []}],
              [{:_, [], []}],
              [{:_, [], [{:nofun, 1}]}],
              [{:_, [{:x}], [1]} | :y]
            ] do
          {raised(fn -> :ets.select(table, spec) end), raised(fn -> :ets.select(table, spec, 5) end),
           raised(fn -> :ets.select_count(table, spec) end), raised(fn -> :ets.select_delete(table, spec) end)}
        end
      end)
    end

    test "compiled" do
      check(fn ->
        spec = [{{:"$1", :_}, [{:>, :"$1", 1}], [:"$1"]}]
        compiled = :ets.match_spec_compile(spec)

        {is_reference(compiled), :ets.is_compiled_ms(compiled), :ets.is_compiled_ms(make_ref()),
         :ets.match_spec_run([{1, 1}, {2, 2}, :no, {3, 3}], compiled),
         raised(fn -> :ets.match_spec_run_r([{1, 1}, {2, 2}, {3, 3}], compiled, [:before]) end),
         raised(fn -> :ets.match_spec_run([], make_ref()) end), raised(fn -> :ets.match_spec_compile([:x]) end)}
      end)
    end

    test "tried out, and repaired" do
      check(fn ->
        spec = [{{:"$1"}, [], [:"$1"]}]
        table = filled(:ordered_set, for(n <- 1..4, do: {n}))
        {[1], continuation} = :ets.select(table, spec, 1)

        {:ets.test_ms({7}, spec), :ets.test_ms({7, 8}, spec), elem(:ets.test_ms({7}, [{:x}]), 0),
         chunks(:ets.select(:ets.repair_continuation(continuation, spec)), &:ets.select/1),
         :ets.repair_continuation(:"$end_of_table", spec)}
      end)
    end

    test "made from funs at compile time" do
      check(fn ->
        table = filled(:ordered_set, for(n <- 1..5, do: {n, n * n}))
        Code.ensure_loaded(:ms_transform)
        raised(fn -> :ets.select(table, [{{:"$1", :"$2"}, [{:>, :"$2", 8}], [:"$1"]}]) end)
      end)
    end
  end

  describe "errors" do
    test "of a table that is no more, or never was" do
      check(fn ->
        gone = :ets.new(:gone, [])
        :ets.delete(gone)

        for table <- [gone, :never, make_ref()] do
          {raised(fn -> :ets.lookup(table, 1) end), raised(fn -> :ets.insert(table, {1}) end),
           raised(fn -> :ets.first(table) end), raised(fn -> :ets.tab2list(table) end),
           raised(fn -> :ets.select(table, [{:_, [], [1]}], 1) end), raised(fn -> :ets.delete(table) end),
           raised(fn -> :ets.safe_fixtable(table, true) end), raised(fn -> :ets.info(table) end),
           raised(fn -> :ets.info(table, :size) end), raised(fn -> :ets.update_counter(table, 1, 1) end),
           raised(fn -> :ets.setopts(table, {:heir, :none}) end)}
        end
      end)
    end

    test "of what is no table at all" do
      check(fn ->
        for table <- [1, "text", {:a}, self()] do
          {elem(raised(fn -> :ets.lookup(table, 1) end), 1), elem(raised(fn -> :ets.delete(table) end), 1),
           elem(raised(fn -> :ets.info(table) end), 1), elem(raised(fn -> :ets.whereis(table) end), 1)}
        end
      end)
    end

    test "of objects that do not fit" do
      check(fn ->
        table = :ets.new(:table, [{:keypos, 2}])

        for object <- [:atom, {1}, [{1, 2}, {3}], [{1, 2} | :improper], {}] do
          {raised(fn -> :ets.insert(table, object) end), raised(fn -> :ets.insert_new(table, object) end),
           raised(fn -> :ets.delete_object(table, object) end)}
        end
        |> then(&{&1, :ets.tab2list(table)})
      end)
    end

    test "of a private and of a protected table" do
      check(fn ->
        main = self()

        for access <- [:private, :protected, :public] do
          table = :ets.new(:table, [access, :bag])
          :ets.insert(table, [{1, 1}, {2, 2}])

          other = fn ->
            {raised(fn -> :ets.lookup(table, 1) end), raised(fn -> :ets.insert(table, {3}) end),
             raised(fn -> is_integer(:ets.first(table)) end), raised(fn -> is_tuple({:ets.next(table, 1)}) end),
             raised(fn -> Enum.sort(:ets.tab2list(table)) end), raised(fn -> :ets.select(table, [{:_, [], [1]}]) end),
             raised(fn -> :ets.match(table, {:"$1", 1}, 1) |> elem(0) end),
             raised(fn -> :ets.foldl(&[&1 | &2], [], table) |> length end),
             raised(fn -> :ets.info(table, :protection) end),
             raised(fn -> :ets.rename(table, :other) |> is_reference() end), raised(fn -> :ets.delete(table) end)}
          end

          spawn(fn -> send(main, {:seen, other.()}) end)
          receive(do: ({:seen, seen} -> seen))
        end
      end)
    end

    test "of options" do
      check(fn ->
        for options <- [
              :set,
              [:nonsense],
              [{:keypos, 0}],
              [:set | :bag],
              [{:heir, 1, 2}],
              [{:heir, self()}],
              [:named_table, :named_table]
            ] do
          case raised(fn -> :ets.new(:optional, options) end) do
            {type, text, _, _, [_, _]} -> {type, text}
            :optional -> :ets.delete(:optional)
          end
        end
        |> then(&{&1, raised(fn -> :ets.new("text", []) end)})
      end)
    end
  end

  describe "what is told about a table" do
    test "all of it" do
      check(fn ->
        table = :ets.new(:table, [:public, :duplicate_bag, {:keypos, 2}, :compressed, {:read_concurrency, true}])
        info = :ets.info(table)

        {Enum.sort(Keyword.keys(info)), Keyword.drop(info, [:id, :owner, :memory]), info[:id] == table,
         info[:owner] == self(), :ets.info(table, :fixed), :ets.info(table, :safe_fixed),
         raised(fn -> :ets.info(table, :nonsense) end),
         Enum.all?(info, fn {item, value} -> :ets.info(table, item) == value end)}
      end)
    end

    test "names" do
      check(fn ->
        :ets.new(:a_name, [:named_table])
        again = raised(fn -> :ets.new(:a_name, [:named_table]) end)
        id = :ets.whereis(:a_name)
        :ets.insert(id, {1, :x})

        {again, is_reference(id), :ets.lookup(:a_name, 1), :ets.info(id, :name), :ets.info(id, :named_table),
         :ets.info(:a_name, :id) == id, :a_name in :ets.all(), id in :ets.all(), :ets.delete(id),
         :ets.whereis(:a_name)}
      end)
    end

    test "renaming" do
      check(fn ->
        named = :ets.new(:before, [:named_table])
        unnamed = :ets.new(:nameless, [])
        :ets.new(:taken, [:named_table])
        taken = raised(fn -> :ets.rename(:before, :taken) end)
        same = raised(fn -> :ets.rename(:before, :before) end)
        wrong = raised(fn -> :ets.rename(:before, "text") end)
        results = {:ets.rename(named, :later), :ets.rename(unnamed, :taken) == unnamed}

        {taken, same, wrong, results, :ets.whereis(:before), :ets.info(:later, :name), :ets.info(unnamed, :name),
         is_atom(:ets.new(:before, [:named_table])), raised(fn -> :ets.rename(:never, :x) end)}
      end)
    end

    test "who has fixed it, since when" do
      check(fn ->
        table = :ets.new(:table, [:public])
        main = self()
        :ets.safe_fixtable(table, true)
        :ets.safe_fixtable(table, true)
        first = :ets.info(table, :safe_fixed_monotonic_time)

        {pid, ref} =
          spawn_monitor(fn ->
            :ets.safe_fixtable(table, true)
            send(main, {:fixed, :ets.info(table, :safe_fixed)})
            receive(do: (:go -> :ok))
          end)

        {_, both} = receive(do: ({:fixed, info} -> info))
        send(pid, :go)
        receive(do: ({:DOWN, ^ref, _, _, _} -> :ok))
        {since, [{^main, 2}]} = first
        {{mega, _, _}, alone} = :ets.info(table, :safe_fixed)
        :ets.safe_fixtable(table, false)
        once = :ets.info(table, :safe_fixed_monotonic_time)
        :ets.safe_fixtable(table, false)

        {Enum.sort(both) == Enum.sort([{main, 2}, {pid, 1}]), since <= System.monotonic_time(), is_integer(mega),
         alone == [{main, 2}], once == {since, [{main, 1}]}, :ets.info(table, :safe_fixed)}
      end)
    end
  end

  describe "written in Erlang" do
    test "init_table" do
      check(fn ->
        table = filled(:ordered_set, [{:old}])
        third = fn :read -> :end_of_input end
        second = fn :read -> {[{3}], third} end
        first = fn :read -> {[{1}, {2}], second} end
        done = :ets.init_table(table, first)
        failed = caught(fn -> :ets.init_table(table, fn :read -> :nonsense end) end)
        {done, failed, :ets.tab2list(table)}
      end)
    end

    test "a fold sees what others do meanwhile" do
      check(fn ->
        table = filled(:ordered_set, for(n <- 1..5, do: {n}))

        seen =
          :ets.foldl(
            fn {n}, acc ->
              :ets.delete(table, n + 1)
              if n < 20, do: :ets.insert(table, {n + 10})
              [n | acc]
            end,
            [],
            table
          )

        {seen, :ets.info(table, :safe_fixed), :ets.tab2list(table)}
      end)
    end

    test "a fold that fails lets go of the table" do
      check(fn ->
        table = filled(:set, [{1}])
        failed = caught(fn -> :ets.foldl(fn _, _ -> throw(:enough) end, 0, table) end)
        {failed, :ets.info(table, :fixed)}
      end)
    end

    test "query handles" do
      check(fn ->
        table = filled(:ordered_set, for(n <- 1..7, do: {n, n}))

        for options <- [[], [n_objects: 2], [traverse: :first_next], [traverse: :last_prev]] do
          :qlc.eval(:ets.table(table, options))
        end
        |> then(&{&1, raised(fn -> :ets.table(table, nonsense: 1) end) |> elem(1)})
      end)
    end
  end

  test "inserts of several objects happen at once" do
    inside =
      check_among(fn ->
        table = :ets.new(:table, [:public])
        main = self()
        spawn(fn -> :ets.insert(table, [{:a, 1}, {:b, 1}]) end)
        spawn(fn -> send(main, {:seen, Enum.sort(:ets.tab2list(table))}) end)
        receive(do: ({:seen, seen} -> seen))
      end)

    assert inside == [[], [a: 1, b: 1]]
  end
end
