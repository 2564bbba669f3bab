defmodule Programs.SchedulersTest do
  # How many tasks `Task.async_stream` runs at a time depends on the machine, unless it is told. In a run it does not.
  use ExUnit.Case, async: true

  @moduletag :tmp_dir
  @moduletag timeout: 300_000
  @seeds 50

  defp write_traces(folder, schedulers) do
    script = Path.expand("stream_traces.exs", __DIR__)
    environment = [{"MIX_ENV", "test"}, {"ELIXIR_ERL_OPTIONS", "+S #{schedulers}:#{schedulers}"}]
    arguments = ["run", "--no-compile", script, folder, to_string(@seeds)]
    {output, status} = System.cmd(System.find_executable("mix"), arguments, env: environment, stderr_to_stdout: true)
    assert status == 0, output
    assert output =~ "schedulers: #{schedulers}\n"
    for name <- Enum.sort(File.ls!(folder)), do: {name, File.read!(Path.join(folder, name))}
  end

  test "a stream of tasks leaves the same traces on one scheduler and on four", %{tmp_dir: tmp} do
    [one, four] = for n <- [1, 4], do: write_traces(Path.join(tmp, "#{n}"), n)
    assert length(one) == @seeds
    assert one == four
    # The comparison would notice: other seeds leave other traces.
    assert one |> Enum.uniq_by(&elem(&1, 1)) |> length() == @seeds
  end
end
