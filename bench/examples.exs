# How many runs of the examples a second? Of each corrected program (nothing ends a sweep), with all that a run of it takes.
#
#     bench/run examples
#     MIX_ENV=test mix run bench/examples.exs superheroes multinode
Code.require_file("support.exs", __DIR__)
Bench.Table.script(__ENV__.file)

defmodule Bench.Examples do
  @examples ~w(multinode superheroes user_cache shop)
  @folder Path.expand("../examples", __DIR__)
  @seeds 20

  # Each example is a project of its own, and is measured in a VM of its own.
  def all([]), do: Enum.each(@examples, &outside/1)
  def all(["inside", example]), do: inside(example)
  def all(names), do: Enum.each(names, &outside/1)

  defp outside(example) do
    folder = Path.join(@folder, example)
    {_, 0} = System.cmd("mix", ["compile"], cd: folder, stderr_to_stdout: true)
    arguments = ["run", "--no-compile", "--no-start", __ENV__.file, "inside", example]
    {output, status} = System.cmd("mix", arguments, cd: folder, stderr_to_stdout: true)
    IO.write(output)
    if status != 0, do: raise("examples/#{example}: status #{status}")
  end

  defp inside(example) do
    if Code.ensure_loaded?(Lockstep.Compat), do: Lockstep.Compat.install()
    [{scenario, _} | _] = Code.require_file("test/scenario.exs")
    programs = programs(scenario)

    [bare | rows] =
      Bench.measure([Bench.Bare.hand_off() | for({name, fun} <- programs, do: sweep(example, name, fun))], 7)

    Bench.Table.write(rows, bare)

    Bench.Table.plain(
      [example, "best", "median", "runs a second", "of CPU time", "steps"],
      for {{name, fun}, row} <- Enum.zip(programs, rows) do
        times = [Bench.Table.time(row.best), Bench.Table.time(row.median)]
        [name | times] ++ [Bench.Table.rate(row.best), Bench.Table.rate(row.cpu), Bench.Table.decimals(steps(fun), 0)]
      end
    )
  end

  defp programs(scenario) do
    Code.ensure_loaded!(scenario)

    if function_exported?(scenario, :twins, 0),
      do: scenario.twins(),
      else: [{"a day", Function.capture(scenario, :day, 0)}]
  end

  defp sweep(example, name, fun), do: {"#{example}: #{name}", seeds(), fn -> run(fun) end}
  defp steps(fun), do: run(fun).steps / seeds()
  defp run(fun), do: Bench.sweep(fun, seeds: seeds())
  defp seeds, do: Bench.size(@seeds, 2)
end

Bench.Examples.all(System.argv())
