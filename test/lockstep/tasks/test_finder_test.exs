defmodule Lockstep.Tasks.TestFinderTest do
  use ExUnit.Case, async: true

  alias Lockstep.Failures.Stored
  alias Lockstep.Tasks.TestFinder

  @moduletag :tmp_dir

  @source """
  defmodule SeatsTest do
    use Lockstep.Case

    test "first" do
      :ok
    end

    describe "sell" do
      @tag lockstep: [seeds: 5]
      test "sells", %{tmp_dir: _} do
        Lockstep.Runner.run(fn -> :ok end)
      end
    end
  end
  """

  setup %{tmp_dir: dir} do
    file = Path.join(dir, "seats_test.exs")
    File.write!(file, @source)
    %{source: file}
  end

  defp stored(test) do
    fields = Stored.__struct__() |> Map.from_struct() |> Map.keys() |> Map.new(&{&1, nil})
    struct!(Stored, %{fields | test: test && Map.merge(%{module: "SeatsTest", call: nil}, test)})
  end

  test "tests_in/1 has the names that ExUnit gives", %{source: file} do
    assert TestFinder.tests_in(file) == [%{name: "test first", line: 4}, %{name: "test sell sells", line: 10}]
    assert TestFinder.tests_in("no/such_test.exs") == []
    File.write!(file, "defmodule Broken do")
    assert TestFinder.tests_in(file) == []
  end

  test "a test is found by its name, whatever its line", %{source: file} do
    stored = stored(%{file: file, line: 99, name: "test sell sells"})
    assert TestFinder.arguments(stored, [file]) == {:ok, ["#{file}:10"], nil}
  end

  test "a renamed one by its line", %{source: file} do
    stored = stored(%{file: file, line: 10, name: "test sell did sell"})
    assert {:ok, [place], note} = TestFinder.arguments(stored, [file])
    assert place == "#{file}:10"
    assert note == ~s(what was "test sell did sell" is now "test sell sells")
    # A call of the runner stands within its test.
    assert {:ok, ["#{file}:10"], note} == TestFinder.arguments(put_in(stored.test.line, 11) |> call(), [file])
    assert {:error, _} = TestFinder.arguments(put_in(stored.test.line, 11), [file])
  end

  defp call(stored), do: put_in(stored.test.call, 1)

  test "a moved one in the other files", %{source: file} do
    stored = stored(%{file: "test/old_test.exs", line: 3, name: "test sell sells"})
    assert TestFinder.arguments(stored, [file]) == {:ok, ["#{file}:10"], "the test is in #{file} now"}
    assert {:error, text} = TestFinder.arguments(stored, [])
    assert text =~ "test sell sells (test/old_test.exs:3) is not there any more"
    assert text =~ "add the option replay:"
  end

  test "one whose name is made is left to mix test", %{source: file} do
    File.write!(file, "defmodule SeatsTest do\n  for n <- 1..2, do: test(\"number \#{n}\", do: :ok)\nend\n")
    stored = stored(%{file: file, line: 2, name: "test number 2"})
    assert TestFinder.arguments(stored, [file]) == {:ok, [file, "--only", "test:test number 2"], nil}
  end

  test "what is no test cannot be run by mix test" do
    for test <- [nil, %{file: "script.exs", line: 3, name: nil}] do
      assert {:error, text} = TestFinder.arguments(stored(test), [])
      assert text =~ "is no test that `mix test` could run: set the variable LOCKSTEP_REPLAY"
    end
  end
end
