defmodule Lockstep.DeterminismTest do
  use ExUnit.Case, async: true

  @moduletag :tmp_dir
  @moduletag timeout: 300_000
  @seeds 50

  defp write_traces(folder, cache, first) do
    mix = System.find_executable("mix")
    script = Path.expand("../programs/write_traces.exs", __DIR__)
    arguments = ["run", "--no-compile", script, folder, cache, first, to_string(@seeds)]
    {output, status} = System.cmd(mix, arguments, env: [{"MIX_ENV", "test"}], stderr_to_stdout: true)
    assert status == 0, output
  end

  defp files(folder),
    do: folder |> Path.join("**/*") |> Path.wildcard() |> Enum.filter(&File.regular?/1) |> Enum.sort()

  test "traces are byte-identical in other processes of the operating system", %{tmp_dir: tmp} do
    cache = Path.join(tmp, "cache")
    [cold, warm] = for name <- ["cold", "warm"], do: Path.join(tmp, name)
    write_traces(cold, cache, "")
    write_traces(warm, cache, "DynamicSupervisor,GenServer,Registry,Task")

    names = Enum.map(files(cold), &Path.relative_to(&1, cold))
    assert length(names) == 3 * @seeds
    assert Enum.map(files(warm), &Path.relative_to(&1, warm)) == names

    for name <- names do
      assert File.read!(Path.join(cold, name)) == File.read!(Path.join(warm, name)), "#{name} differs"
    end

    assert_names_nothing_of_the_host(files(cold))
    # The comparison would notice: other seeds give other bytes.
    assert cold |> files() |> Enum.map(&File.read!/1) |> Enum.uniq() |> length() == 3 * @seeds
  end

  defp assert_names_nothing_of_the_host(files) do
    for file <- files, trace = File.read!(file) do
      refute trace =~ System.tmp_dir!()
      refute trace =~ File.cwd!()
      refute trace =~ "lockstep:"
      assert {:ok, %{events: [_ | _]}} = Lockstep.Trace.decode(trace)
      # Pids are those of the run, whose serials begin at 7168.
      for [_, serial] <- Regex.scan(~r/#PID<0\.\d+\.(\d+)>/, trace), do: assert(String.to_integer(serial) >= 7168)
    end
  end
end
