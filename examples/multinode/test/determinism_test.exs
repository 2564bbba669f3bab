defmodule MultinodeDeterminismTest do
  use ExUnit.Case, async: true

  @moduletag :tmp_dir
  @moduletag timeout: 600_000
  @seeds 5

  test "traces are byte-identical in two processes of the operating system", %{tmp_dir: tmp} do
    [one, other] =
      1..2 |> Enum.map(&Task.async(fn -> digests(Path.join(tmp, "#{&1}")) end)) |> Task.await_many(:infinity)

    assert one == other
    # The comparison would notice: other seeds give other bytes.
    assert one |> Enum.uniq_by(&List.last(String.split(&1))) |> length() == length(one)
  end

  defp digests(file) do
    script = Path.expand("../../write_digests.exs", __DIR__)
    arguments = ["run", "--no-compile", "--no-start", script, file, to_string(@seeds)]
    {output, status} = System.cmd("mix", arguments, env: [{"MIX_ENV", "test"}], stderr_to_stdout: true)
    assert status == 0, output
    file |> File.read!() |> String.split("\n", trim: true)
  end
end
