# What does instrumentation cost? The time of the first run of a whole application (examples/shop) in a fresh VM, with
# nothing in the cache and with everything, compared with the same run once more.
#
#     MIX_ENV=test mix run bench/instrument.exs
defmodule Bench.Instrument do
  @example Path.expand("../examples/shop", __DIR__)

  # In a VM of its own.
  def measure(cache) do
    Application.put_env(:lockstep, :cache_dir, cache)
    Lockstep.start()
    Code.require_file("test/scenario.exs", @example)
    day = Function.capture(ShopScenario, :day, 0)
    first = milliseconds(fn -> Lockstep.Runner.run(day, seeds: [1]) end)
    second = milliseconds(fn -> Lockstep.Runner.run(day, seeds: [1]) end)
    IO.puts("measured #{first} #{second} #{guests()}")
  end

  def compare do
    cache = Path.join(System.tmp_dir!(), "lockstep-bench-#{System.pid()}")
    {_, 0} = System.cmd("mix", ["compile"], cd: @example, stderr_to_stdout: true)
    IO.puts("                first run, ms   once more, ms   instrumentation, ms   modules")
    for name <- ["cold cache", "warm cache", "warm cache"], do: row(name, cache)
    File.rm_rf!(cache)
  end

  defp row(name, cache) do
    {output, 0} =
      System.cmd("mix", ["run", "--no-compile", __ENV__.file, cache], cd: @example, stderr_to_stdout: true)

    [first, second, guests] =
      ~r/measured (\d+) (\d+) (\d+)/ |> Regex.run(output) |> tl() |> Enum.map(&String.to_integer/1)

    columns = [{first, 16}, {second, 16}, {first - second, 22}, {guests, 10}]

    IO.puts(
      String.pad_trailing(name, 13) <> Enum.map_join(columns, fn {n, width} -> String.pad_leading("#{n}", width) end)
    )
  end

  defp milliseconds(fun), do: fun |> :timer.tc() |> elem(0) |> div(1000)

  defp guests, do: Enum.count(:code.all_loaded(), fn {module, _file} -> Lockstep.Instrument.guest?(module) end)
end

case System.argv() do
  [] -> Bench.Instrument.compare()
  [cache] -> Bench.Instrument.measure(cache)
end
