defmodule Lockstep.Runtime.InspectionTest do
  use Lockstep.Case, async: true

  # The VM comes to know these in the order of their numbers, which is not that of their names.
  @keys for number <- [9, 5, 7, 1], do: String.to_atom("lockstep_inspection_#{number}")
  @map Map.new(@keys, &{&1, %{&1 => true}})

  @tag :lockstep
  test "maps and sets are shown in the order of their terms" do
    assert inspect(@map) ==
             "%{" <> Enum.map_join([1, 5, 7, 9], ", ", &"#{name(&1)}: %{#{name(&1)}: true}") <> "}"

    assert inspect({MapSet.new(@keys)}) ==
             "{MapSet.new([" <> Enum.map_join([1, 5, 7, 9], ", ", &":#{name(&1)}") <> "])}"

    assert inspect(%URI{path: "a"}) =~ ~r/^%URI\{scheme: nil, .*, path: "a"/
    assert inspect({"a", ~c"b", [c: 1]}, charlists: :as_lists) == ~s|{"a", [98], [c: 1]}|
  end

  defmodule Maker do
    def make(value), do: fn other -> {value, other} end
  end

  @tag :lockstep
  test "functions are those of the original modules" do
    fun = Maker.make(1)
    assert inspect(fun) =~ ~r"^#Function<\d+\.\d+/1 in Lockstep.Runtime.InspectionTest.Maker.make/1>$"
    assert inspect(%{a: [fun]}) =~ "in Lockstep.Runtime.InspectionTest.Maker.make/1>"

    assert inspect([&Maker.make/1, &String.upcase/1, &send/2, &Process.sleep/1]) ==
             "[&Lockstep.Runtime.InspectionTest.Maker.make/1, &String.upcase/1, &:erlang.send/2, &Process.sleep/1]"

    assert List.to_string(:erlang.fun_to_list(fun)) =~
             ~r"^#Fun<Elixir.Lockstep.Runtime.InspectionTest.Maker.\d+.\d+>$"

    assert List.to_string(:io_lib.format(~c"~p ~w", [fun, {&self/0}])) =~
             ~r"^#Fun<Elixir.*.Maker.\d.*> {fun erlang:self/0}$"

    assert Function.info(fun, :module) == {:module, Maker}
    assert Function.info(&send/2)[:name] == :send
    assert Exception.format_fa(fun, 1) =~ "#Function<"
  end

  @tag :lockstep
  test "a program's own implementation is a part of it" do
    assert inspect(%ShownTest.Point{x: 7}) == "#Point<7>"
    assert inspect([%ShownTest.Point{x: 8}]) == "[#Point<8>]"
  end

  test "outside of runs nothing is different" do
    assert inspect(@map) == inspect(@map, inspect_fun: &Inspect.inspect/2)
    assert inspect(MapSet.new(@keys)) == inspect(MapSet.new(@keys), inspect_fun: &Inspect.inspect/2)
  end

  defp name(number), do: "lockstep_inspection_#{number}"
end
