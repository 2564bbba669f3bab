defmodule Lockstep.Report.JsonTest do
  use ExUnit.Case, async: true

  alias Lockstep.Report.Json

  @odd [
    "",
    "plain",
    "say \"hi\"",
    "a\\b",
    "\n\r\t\b\f\0\x1F\x7F",
    "日本 é 🦀 \u2028\u2029",
    "</script>",
    "\\u0041",
    String.duplicate("long ", 10_000)
  ]

  test "what is written is read back" do
    for text <- @odd do
      assert JsonReader.parse(Json.encode(text)) == {:ok, text}

      assert JsonReader.parse(Json.encode(%{text => [text, %{"in" => text}]})) ==
               {:ok, %{text => [text, %{"in" => text}]}}
    end

    for value <- [nil, true, false, 0, -17, 1.5, 1.0e100, [], %{}, [[]], [nil, [1, [2]]], 123_456_789_012_345_678_901] do
      assert JsonReader.parse(Json.encode(value)) == {:ok, value}
    end
  end

  test "atoms and keys are strings, a keyword list is an object in its order" do
    assert Json.encode(z: :"odd \"atom\"", a: [b: nil]) == ~S|{"z":"odd \"atom\"","a":{"b":null}}|
    assert Json.encode(%{2 => 1, b: 2}) == ~S|{"2":1,"b":2}|
  end

  test "bytes that are no UTF-8 do not break it" do
    assert Json.encode(<<"a", 0xFF, 0xC3, "b">>) == "\"a\uFFFD\uFFFDb\""
  end

  test "other programs read it" do
    if python = System.find_executable("python3") do
      path = Path.join(System.tmp_dir!(), "lockstep-json-#{System.unique_integer([:positive])}")
      File.write!(path, Json.encode(%{"odd" => @odd, "bytes" => <<0xFF>>, "number" => -1.5e-7}))
      assert {_shown, 0} = System.cmd(python, ["-m", "json.tool", path], stderr_to_stdout: true)
      File.rm!(path)
    end
  end

  test "the reader of these tests does not take just anything" do
    for text <- ["", "{", "[1,]", "{\"a\"}", "\"a", "\"\n\"", "01", "nul", "[1] x", "{a: 1}", "\"\\x\""] do
      assert JsonReader.parse(text) == :error
    end
  end
end
