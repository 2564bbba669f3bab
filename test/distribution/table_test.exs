defmodule Distribution.TableTest do
  # docs/distribution.md promises a test for each rule.
  use ExUnit.Case, async: true

  @table Path.expand("../../docs/distribution.md", __DIR__)
  @tests Path.wildcard(Path.expand("../{distribution,programs}/*_test.exs", __DIR__))
  @scenarios Path.wildcard(Path.expand("../oracle/scenarios/*.ex", __DIR__))

  defp promised do
    for [_, rule, status] <- Regex.scan(~r/^\| (R-[A-Z0-9-]+) \|.*\| (.*) \|$/m, File.read!(@table)),
        not String.starts_with?(status, "out of scope"),
        do: rule
  end

  defp tested do
    for {files, pattern} <- [{@tests, ~r/test "(R-[A-Z0-9-]+)/}, {@scenarios, ~r/"(R-[A-Z0-9-]+) /}],
        file <- files,
        [_, rule] <- Regex.scan(pattern, File.read!(file)),
        uniq: true,
        do: rule
  end

  test "each rule of the table has a test, and each test of a rule stands in the table" do
    assert length(promised()) > 60
    assert promised() -- tested() == []
    assert tested() -- promised() == []
  end
end
