Code.require_file("../../programs/reading.exs", __DIR__)

defmodule Lockstep.Report.ReadingTest do
  # docs/reading-a-failure.md shows programs and what their failures print. Both are held against what they are now:
  #
  #     LOCKSTEP_WRITE_DOCS=1 mix test test/lockstep/report/reading_test.exs
  #
  # writes them into the page, between its markers.
  use ExUnit.Case, async: true

  alias Lockstep.{Options, Report}
  alias Lockstep.Runner.Sweep

  @page Path.expand("../../../docs/reading-a-failure.md", __DIR__)
  @programs Path.expand("../../programs/reading.exs", __DIR__)
  @tests [
    race: "the last seat is sold once",
    deadlock: "two transfers at a time",
    partition: "both replicas know the last color"
  ]

  @release ~r/Elixir (?:VERSION|[\d.]+), Erlang\/OTP (?:RELEASE|\d+)/

  # A terminal of so many columns, and what ExUnit leaves of it.
  @columns [80, 160]
  @indentation 5

  defp failure(name) do
    test = String.to_atom("test #{@tests[name]}")
    options = Options.validate!([seeds: 1..500], %{})
    assert {:failed, failure} = Sweep.run(ReadingTest.program(test), options, location(name, test))
    failure
  end

  defp location(name, test) do
    lines = @programs |> File.read!() |> String.split("\n")
    line = Enum.find_index(lines, &String.contains?(&1, inspect(@tests[name]))) + 1
    %{file: "test/programs/reading.exs", line: line, module: ReadingTest, test: test}
  end

  defp printed(failure, columns) do
    failure |> Report.format(columns - @indentation) |> String.replace(~r/\e\[[0-9;]*m/, "")
  end

  defp block(name, :program), do: "```elixir\n#{program(name)}\n```"
  defp block(name, columns), do: "```\n#{name |> failure() |> printed(columns)}\n```"

  # What stands between two markers of that name, as often as there are, without the indentation.
  defp program(name) do
    @programs
    |> File.read!()
    |> String.split(~r/^ *# \[#{name}\]\n/m)
    |> Enum.drop(1)
    |> Enum.take_every(2)
    |> Enum.map_join("\n\n", &outdented/1)
  end

  defp outdented(text) do
    lines = text |> String.trim_trailing() |> String.split("\n")
    by = hd(lines) |> String.length() |> Kernel.-(hd(lines) |> String.trim_leading() |> String.length())
    Enum.map_join(lines, "\n", &String.replace_prefix(&1, String.duplicate(" ", by), ""))
  end

  defp marked(page, name, what), do: Regex.run(marker(name, what), page)
  defp marker(name, what), do: ~r/(<!-- #{name} #{what} -->\n)(.*?)(\n<!-- end -->)/s

  defp written(page) do
    page = Regex.replace(@release, page, "Elixir #{System.version()}, Erlang/OTP #{System.otp_release()}")

    for {name, _} <- @tests, what <- [:program | @columns], marked(page, name, what), reduce: page do
      page ->
        Regex.replace(marker(name, what), page, fn _, begins, _old, ends -> begins <> block(name, what) <> ends end)
    end
  end

  # Other releases have other frames in their stack traces, and other steps.
  defp same_release?(page), do: page =~ "Elixir #{System.version()}, Erlang/OTP #{System.otp_release()}"

  test "the page shows what is printed" do
    page = File.read!(@page)
    if System.get_env("LOCKSTEP_WRITE_DOCS") == "1", do: File.write!(@page, written(page))
    page = File.read!(@page)

    for {name, _} <- @tests do
      assert [_, _, shown, _] = marked(page, name, :program)
      assert shown == block(name, :program)

      for columns <- @columns, [_, _, shown, _] <- [marked(page, name, columns)], same_release?(page) do
        assert shown == block(name, columns), "run again with LOCKSTEP_WRITE_DOCS=1 to write it anew"
      end
    end
  end

  test "each report has all its parts and fits" do
    for {name, parts} <- [
          race: [],
          deadlock: ["who waits for whom", "a cycle: "],
          partition: ["== partition [:a] | [:b]", "(lost)"]
        ] do
      failure = failure(name)

      for columns <- @columns, text = printed(failure, columns) do
        for part <- ["with seed #{failure.seed}:", "step", "strategy ", "replay with" | parts],
            do: assert(text =~ part)

        lines = text |> String.split("\n") |> Enum.reject(&(&1 =~ ~r/^  (mix lockstep|LOCKSTEP_)/))
        for line <- lines, do: assert(String.length(line) <= columns - @indentation)
        assert length(lines) < 75
      end
    end
  end

  test "every field of the JSON is in the page" do
    {:ok, json} = :race |> failure() |> Report.json() |> JsonReader.parse()
    page = File.read!(@page)

    for field <- Map.keys(json),
        do: assert(page =~ ~r/^\|[^|]*`#{field}`[^|]*\|/m, "#{field} is not in the table of fields")
  end
end
