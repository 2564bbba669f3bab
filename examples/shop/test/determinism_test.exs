defmodule ShopDeterminismTest do
  use ExUnit.Case, async: true

  @moduletag :tmp_dir
  @moduletag timeout: 600_000
  @seeds 1000

  test "traces are byte-identical in two processes of the operating system", %{tmp_dir: tmp} do
    # One makes all instrumented modules itself, the other finds them in the user's cache.
    [cold, warm] =
      [{"cold", Path.join(tmp, "cache"), ""}, {"warm", "", "Shop.Bank,Logger,Shop.Order,Task.Supervisor"}]
      |> Enum.map(fn {name, cache, first} -> Task.async(fn -> digests(Path.join(tmp, name), cache, first) end) end)
      |> Task.await_many(:infinity)

    assert length(cold) == @seeds
    assert warm == cold
    # The comparison would notice: other seeds give other bytes.
    assert cold |> Enum.uniq_by(&List.last(String.split(&1))) |> length() == @seeds
  end

  defp digests(file, cache, first) do
    mix = System.find_executable("mix")
    script = Path.expand("write_digests.exs", __DIR__)
    arguments = ["run", "--no-compile", script, file, cache, first, to_string(@seeds)]
    {output, status} = System.cmd(mix, arguments, env: [{"MIX_ENV", "test"}], stderr_to_stdout: true)
    assert status == 0, output
    file |> File.read!() |> String.split("\n", trim: true)
  end
end
