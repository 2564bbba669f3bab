defmodule Conformance.EtsRandomTest do
  # Random operations on one table, on the plain VM and in a run. Where the VM leaves the order open, it does not count.
  #
  # `ETS_PROGRAMS=20000 mix test test/conformance/ets_random_test.exs` runs more of them.
  use Lockstep.Support.Conformance

  alias Lockstep.Support.Outside

  @programs "ETS_PROGRAMS" |> System.get_env("1000") |> String.to_integer()
  @length 30
  @types [:set, :ordered_set, :bag, :duplicate_bag]
  @keys [1, 1.0, 2, :a, :b, {1}, {1.0}, {1, :x}, "k", nil, [1, 2.0], %{a: 1}, %{a: 1.0}]
  @specs [
    [{{:"$1", :"$2"}, [], [:"$_"]}],
    [{{:"$1", :"$2"}, [{:>, :"$2", 1}], [{{:"$2", :"$1"}}]}],
    [{{{:"$3"}, :"$2"}, [], [:"$3"]}],
    [{{1, :"$2"}, [], [:"$2"]}, {{:a, :_}, [], [:a]}],
    [{{1, :"$2"}, [], [:"$2"]}],
    [{{:_, 2}, [], [true]}],
    [{:"$1", [], [{:element, 2, :"$1"}]}],
    # A body that fails.
    [{{:_, :"$1"}, [], [{:hd, :"$1"}]}]
  ]

  test "#{@programs} random programs come to the same" do
    Outside.listen()

    for number <- 1..@programs do
      program = program(number)
      native = Task.await(Task.async(fn -> perform(program) end))

      Lockstep.Runner.run(fn -> program |> perform() |> Outside.tell() end,
        seeds: [number],
        strategy: :random,
        escapes: :raise
      )

      inside = receive(do: ({:outcome, outcome} -> outcome))
      assert inside == native, "program #{number} differs\n\n#{difference(program, inside, native)}"
    end
  end

  defp program(number) do
    :rand.seed(:exsss, number)
    {Enum.random(@types), for(_ <- 1..@length, do: operation(:rand.uniform(20)))}
  end

  defp key, do: Enum.random(@keys)
  defp value, do: Enum.random(0..3)
  defp object, do: {key(), value()}

  defp operation(1), do: {:lookup, [key()]}
  defp operation(2), do: {:member, [key()]}
  defp operation(3), do: {:delete, [key()]}
  defp operation(4), do: {:take, [key()]}
  defp operation(5), do: {:delete_object, [object()]}
  defp operation(6), do: {:select, [Enum.random(@specs)]}
  defp operation(7), do: {:select_delete, [[{{:_, value()}, [], [true]}]]}
  defp operation(8), do: {:select_count, [Enum.random([[{{:_, 2}, [], [true]}], [{{1, :_}, [], [true]}]])]}
  defp operation(9), do: {:update_counter, [key(), 1, {key(), 0}]}
  defp operation(10), do: {:update_element, [key(), {2, value()}]}
  defp operation(11), do: {:walk, []}
  defp operation(12), do: {:walk_and_delete, [key()]}
  defp operation(13), do: {:chunks, [Enum.random(@specs), Enum.random(1..4)]}
  defp operation(14), do: {:info, [:size]}
  defp operation(15), do: {:tab2list, []}
  defp operation(16), do: {:match_object, [{key(), :_}]}
  defp operation(17), do: {:insert_new, [object()]}
  defp operation(n) when n in 18..19, do: {:insert, [object()]}
  defp operation(20), do: {:insert, [for(_ <- 1..3, do: object())]}

  defp perform({type, operations}) do
    table = :ets.new(:table, [type])
    for operation <- operations, do: in_any_order(type, operation, outcome(table, operation))
  end

  defp outcome(table, operation) do
    perform(table, operation)
  rescue
    error -> {error.__struct__, Exception.message(error)}
  end

  defp perform(table, {:walk, []}), do: walk(table, :ets.first(table), fn -> :ok end)
  defp perform(table, {:chunks, [spec, limit]}), do: chunks(:ets.select(table, spec, limit))

  defp perform(table, {:walk_and_delete, [key]}) do
    :ets.safe_fixtable(table, true)
    seen = walk(table, :ets.first(table), fn -> :ets.delete(table, key) end)
    :ets.safe_fixtable(table, false)
    seen
  end

  defp perform(table, {function, args}), do: apply(:ets, function, [table | args])

  defp walk(_table, :"$end_of_table", _fun), do: []

  defp walk(table, key, fun) do
    fun.()
    [key | walk(table, :ets.next(table, key), fun)]
  end

  defp chunks(:"$end_of_table"), do: []
  defp chunks({found, continuation}), do: [found | chunks(:ets.select(continuation))]

  defp in_any_order(:ordered_set, _operation, outcome), do: outcome

  # Whether the key was seen before it was deleted is left open as well.
  defp in_any_order(_, {:walk_and_delete, [key]}, seen), do: seen |> List.delete(key) |> sorted()

  defp in_any_order(_, {:chunks, _}, found) when is_list(found),
    do: {Enum.map(found, &length/1), found |> Enum.concat() |> sorted()}

  defp in_any_order(_, {function, _}, found) when function in [:select, :tab2list, :walk] and is_list(found),
    do: sorted(found)

  defp in_any_order(_, _operation, outcome), do: outcome

  defp sorted(list), do: Enum.sort_by(list, &:erlang.term_to_binary(&1, [:deterministic]))

  defp difference({type, operations}, inside, native) do
    same = Enum.zip(inside, native) |> Enum.take_while(fn {inside, native} -> inside == native end) |> length()
    operations = operations |> Enum.take(same + 1) |> Enum.map_join("\n", &inspect/1)
    "a #{type}\n#{operations}\nVM: #{inspect(Enum.at(native, same))}\nLockstep: #{inspect(Enum.at(inside, same))}"
  end
end
