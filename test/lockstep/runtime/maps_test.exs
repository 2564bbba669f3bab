defmodule Lockstep.Runtime.MapsTest do
  use ExUnit.Case, async: false
  use Lockstep

  alias Lockstep.Runtime.{Maps, Terms}
  alias Lockstep.Support.Outside

  # The later in the alphabet, the lower the number: where the VM orders by numbers, it has all of them the wrong way.
  defp backwards(prefix, count) do
    names = for number <- count..1//-1, do: prefix <> String.pad_leading("#{number}", 3, "0")
    names |> Enum.map(&String.to_atom/1) |> Enum.reverse()
  end

  defp run(program) do
    Outside.listen()
    Lockstep.Runner.run(program, seeds: [1], strategy: :random)
    assert_receive {:outcome, outcome}
    outcome
  end

  defmodule Programs do
    # Everything that shows in which order a map has its keys; the map has the key `:deeper` with such a map, too.
    def erlang(map) do
      iterator = :maps.iterator(map)
      {first, _, _} = :maps.next(iterator)
      test = self()
      :maps.foreach(fn key, _ -> send(test, {:each, key}) end, map)

      [
        to_list: :maps.to_list(map),
        keys: :maps.keys(map),
        values: :maps.values(map),
        next: first,
        fold: :maps.fold(fn key, _, keys -> [key | keys] end, [], map),
        foreach: received(),
        map: order(&:maps.map(&1, map)),
        filter: order(&:maps.filter(&1, map)),
        filtermap: order(&:maps.filtermap(&1, map)),
        merge_with: order(&:maps.merge_with(fn key, one, _ -> &1.(key, one) end, map, map)),
        sets: :sets.to_list(:sets.from_list(Map.keys(map), version: 2)),
        bytes: :erlang.term_to_binary(map),
        printed: List.to_string(:io_lib.format(~c"~p ~w", [map, map]))
      ]
    end

    def elixir(map) do
      [
        list: Map.to_list(map),
        enum: Enum.to_list(map),
        comprehension: for({key, _} <- map, do: key),
        reduce: Enum.reduce(map, [], fn {key, _}, keys -> [key | keys] end),
        reduced: for({key, _} <- map, reduce: [], do: (keys -> [key | keys])),
        stream: map |> Stream.map(&elem(&1, 0)) |> Enum.to_list(),
        zip: Enum.zip(map, Stream.iterate(1, &(&1 + 1))),
        set: map |> Map.keys() |> MapSet.new() |> MapSet.to_list(),
        enumerated_set: map |> Map.keys() |> MapSet.new() |> Enum.map(& &1),
        into: Enum.into(map, []),
        keyword: Keyword.new(map),
        filter: order(fn fun -> Map.filter(map, fn {key, value} -> fun.(key, value) end) end),
        merge: order(fn fun -> Map.merge(map, map, fn key, one, _ -> fun.(key, one) end) end),
        query: URI.encode_query(Map.delete(map, :deeper)),
        inspect: inspect(map, limit: :infinity),
        inspected_set: inspect(MapSet.new(Map.keys(map)), limit: :infinity),
        interpolated: "#{inspect(%{map: map}, limit: :infinity)}",
        message: Exception.message(%KeyError{key: :none, term: map})
      ]
    end

    defp order(fun) do
      test = self()

      fun.(fn key, _value ->
        send(test, {:each, key})
        true
      end)

      received()
    end

    defp received do
      receive do
        {:each, key} -> [key | received()]
      after
        0 -> []
      end
    end
  end

  # A map with keys in the order in which the VM would have them by number, and what of it there is to be seen.
  defp check(function, prefix, count) do
    keys = backwards(prefix, count)
    deeper = Map.new(backwards(prefix <> "deeper_", 5), &{&1, 1})
    map = keys |> Map.new(&{&1, 1}) |> Map.put(:deeper, deeper)
    sorted = Enum.sort([:deeper | keys])
    outcome = run(fn -> Outside.tell(apply(Programs, function, [map])) end)
    {sorted, map, outcome}
  end

  defp in_order?(text, keys) do
    positions = for key <- keys, do: text |> :binary.match(Atom.to_string(key)) |> elem(0)
    positions == Enum.sort(positions)
  end

  for {size, count} <- [small: 7, large: 50] do
    test "Erlang sees a #{size} map in the order of its keys" do
      {keys, map, outcome} = check(:erlang, "lk_#{unquote(size)}_e_", unquote(count))

      assert Keyword.keys(outcome[:to_list]) == keys
      assert outcome[:keys] == keys
      assert outcome[:values] == Enum.map(keys, &map[&1])
      assert outcome[:next] == hd(keys)
      assert Enum.reverse(outcome[:fold]) == keys
      assert outcome[:sets] == keys

      for function <- [:foreach, :map, :filter, :filtermap, :merge_with],
          do: assert({function, outcome[function]} == {function, keys})

      assert in_order?(outcome[:printed], keys)
      assert :erlang.binary_to_term(outcome[:bytes]) == map
      assert in_order?(outcome[:bytes], keys)
    end

    test "Elixir sees a #{size} map in the order of its keys" do
      {keys, map, outcome} = check(:elixir, "lk_#{unquote(size)}_x_", unquote(count))

      for function <- [:list, :enum, :into, :keyword] do
        assert {function, Keyword.keys(outcome[function])} == {function, keys}
      end

      for function <- [:comprehension, :stream, :set, :enumerated_set, :filter, :merge] do
        assert {function, outcome[function]} == {function, keys}
      end

      for function <- [:reduce, :reduced], do: assert({function, Enum.reverse(outcome[function])} == {function, keys})
      assert outcome[:zip] |> Enum.map(fn {{key, _}, number} -> {key, number} end) == Enum.with_index(keys, 1)
      assert in_order?(outcome[:query], List.delete(keys, :deeper))
      for text <- [:inspect, :inspected_set, :interpolated], do: assert(in_order?(outcome[text], keys))
      if map_size(map) < 20, do: assert(in_order?(outcome[:message], keys))
      refute inspect(outcome) =~ "lockstep:"
    end
  end

  if System.otp_release() >= "26" do
    test "the VM would have had them the other way round" do
      keys = backwards("lk_control_", 7)
      assert :maps.keys(Map.new(keys, &{&1, 1})) != keys
    end

    test "comprehensions of maps are in order" do
      source = """
      -module(lk_map_comprehension).
      -export([f/1, g/1]).
      f(M) -> [K || K := _ <- M].
      g(M) -> self() ! done, _ = \#{K => self() ! K || K := _ <- M}, receive done -> all() end.
      all() -> receive K -> [K | all()] after 0 -> [] end.
      """

      {module, _guest} = Lockstep.InstrumentFixture.load!(source)
      keys = backwards("lk_comprehension_", 9)
      map = Map.new(keys, &{&1, 1})
      outcome = run(fn -> Outside.tell({apply(module, :f, [map]), apply(module, :g, [map])}) end)
      assert outcome == {keys, keys}
    end
  end

  test "what has no atoms stays as the VM has it" do
    map = Map.new(1..100, &{{&1, "text"}, &1})
    assert run(fn -> Outside.tell(:maps.to_list(map)) end) == :maps.to_list(map)
  end

  test "numbers that are equal but not the same keep their order" do
    map = %{1 => :integer, 1.0 => :float, a: 1, b: 2}

    assert run(fn -> Outside.tell(Map.to_list(map)) end) == [
             {1, :integer},
             {1.0, :float},
             {:a, 1},
             {:b, 2}
           ]
  end

  test "outside of a run, and with wrong arguments, all is as in the VM" do
    map = Map.new(backwards("lk_outside_", 40), &{&1, 1})
    assert Maps.to_list(map) == :maps.to_list(map)
    assert Maps.keys(map) == :maps.keys(map)
    assert Maps.iterator(map) == :maps.iterator(map)
    assert Terms.term_to_binary(map) == :erlang.term_to_binary(map)
    assert Maps.merge_with(fn _, a, b -> a + b end, %{a: 1, b: 2}, %{b: 3, c: 4}) == %{a: 1, b: 5, c: 4}
    assert Maps.intersect_with(fn _, a, b -> a - b end, %{a: 1, b: 2}, %{b: 3, c: 4}) == %{b: -1}

    for {function, arguments} <- [
          to_list: [1],
          keys: [[]],
          values: [:a],
          iterator: [1],
          fold: [1, 2, %{}],
          fold: [fn _, _, _ -> 1 end, 0, 1],
          map: [1, %{}],
          filter: [fn _ -> true end, %{}],
          merge_with: [fn _, _, _ -> 1 end, 1, %{}],
          intersect_with: [1, %{}, %{}]
        ] do
      assert {function, outcome(Maps, function, arguments)} == {function, outcome(:maps, function, arguments)}
    end
  end

  defp outcome(module, function, arguments) do
    apply(module, function, arguments)
  catch
    class, reason -> {class, reason}
  end
end
