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

  test "outside of runs nothing is different" do
    assert inspect(@map) == inspect(@map, inspect_fun: &Inspect.inspect/2)
    assert inspect(MapSet.new(@keys)) == inspect(MapSet.new(@keys), inspect_fun: &Inspect.inspect/2)
  end

  defp name(number), do: "lockstep_inspection_#{number}"
end
