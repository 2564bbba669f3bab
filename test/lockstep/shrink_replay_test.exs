Code.require_file("../programs/bugs.exs", __DIR__)
for file <- ~w(program library), do: Code.require_file("../gallery/support/#{file}.exs", __DIR__)

defmodule Lockstep.ShrinkReplayTest do
  # All programs with a bug there are: how small their failing runs get, and that the smaller ones are the same elsewhere.
  use ExUnit.Case, async: false

  alias Lockstep.{Runner, Shrink}
  alias Lockstep.Shrink.Signature

  @moduletag :capture_log
  @moduletag :tmp_dir
  @moduletag timeout: 600_000

  @runs 5_000

  defp programs do
    {:ok, gallery} = Gallery.Library.load()

    for({name, {program, options}} <- Programs.Bugs.all(), do: {{:bug, name}, program, options}) ++
      for %{name: name, module: module, options: options} <- gallery, do: {{:gallery, name}, &module.buggy/0, options}
  end

  defp shrink({name, program, options}) do
    options = Keyword.merge(options, failures: false)
    assert {:failed, failure} = Runner.explore(program, [seeds: 1..@runs] ++ options), "#{inspect(name)} passes"
    assert %Shrink{} = failure.shrunk, "#{inspect(name)} was not shrunk"
    assert Signature.of(failure.shrunk.result) == Signature.of(failure.result), "#{inspect(name)} fails otherwise"
    {name, failure, options}
  end

  test "the median leaves a quarter of the context switches, and all are replayed elsewhere", %{tmp_dir: tmp} do
    shrunk = Enum.map(programs(), &shrink/1)
    assert shrunk |> Enum.flat_map(&ratio/1) |> median() <= 0.25

    stored =
      for {name, %{shrunk: shrunk} = failure, options} <- shrunk,
          do: {name, failure.seed, options, shrunk.choices, shrunk.result.trace}

    file = Path.join(tmp, "shrunk")
    File.write!(file, :erlang.term_to_binary(stored))
    said = replay_elsewhere(file)
    for {name, _, _} <- shrunk, do: assert("#{inspect(name)}: the same" in said)
  end

  defp ratio({_, %{shrunk: %{before: %{switches: 0}}}, _}), do: []
  defp ratio({_, %{shrunk: %{before: before, after: left}}, _}), do: [left.switches / before.switches]

  defp median(numbers), do: numbers |> Enum.sort() |> Enum.at(div(length(numbers), 2))

  defp replay_elsewhere(file) do
    mix = System.find_executable("mix")
    script = Path.expand("../programs/replay_shrunk.exs", __DIR__)
    arguments = ["run", "--no-compile", script, file]
    {output, status} = System.cmd(mix, arguments, env: [{"MIX_ENV", "test"}], stderr_to_stdout: true)
    assert status == 0, output
    String.split(output, "\n")
  end
end
