defmodule Lockstep.Report.TermsTest do
  use ExUnit.Case, async: true

  alias Lockstep.Report.Terms

  doctest Lockstep.Report.Terms
  doctest Lockstep.Report.Words.Message
  doctest Lockstep.Report.Width
  doctest Lockstep.Report.Json
  doctest Lockstep.Report.Mentions

  @odd [
    {:a, "b, c}"},
    %{{1, 2} => "=>", "to" => [a: 1]},
    [~c"it's", "\"", "\\", "é, 日本"],
    <<1, 2, 3::3>>,
    {},
    [],
    "",
    %{a: %{b: {:c, [d: "e to f"]}}},
    {:"odd, name", :"with to name"},
    self(),
    &Enum.map/2
  ]

  test "takes apart what inspect has printed, whatever that is" do
    for {one, other} <- Enum.zip(@odd, Enum.reverse(@odd)) do
      assert Terms.split("#{inspect(one)}, #{inspect(other)}") == [inspect(one), inspect(other)]
      assert Terms.elements(inspect({one, other})) == [inspect(one), inspect(other)]
      assert Terms.sending("#{inspect(one)} to #{inspect(other)}") == {inspect(one), inspect(other)}
    end
  end

  test "what does not close is taken as it is" do
    assert Terms.split("{:a, \"b, c") == ["{:a, \"b, c"]
    assert Terms.elements("{:a, ") == nil
    assert Terms.split("") == [""]
    assert Terms.split("}, b") == ["}", "b"]
  end
end
