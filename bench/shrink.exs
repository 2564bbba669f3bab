# How much smaller are failing runs after shrinking? For each program with a bug (test/programs/bugs.exs and the gallery)
# the first failing run of each of several sweeps, before and after.
#
#     MIX_ENV=test mix run bench/shrink.exs [SWEEPS [NAME...]]
{sweeps, names} =
  case System.argv() do
    [] -> {3, []}
    [sweeps | names] -> {String.to_integer(sweeps), names}
  end

Lockstep.start()
Code.require_file("../test/programs/bugs.exs", __DIR__)
for file <- ~w(program library), do: Code.require_file("../test/gallery/support/#{file}.exs", __DIR__)

defmodule Bench.Shrink do
  @runs 1_000
  @apart 1_000_000
  @column 12

  def programs do
    {:ok, gallery} = Gallery.Library.load()
    gallery = for %{name: name, module: module, options: options} <- gallery, do: {name, {&module.buggy/0, options}}
    for({name, program} <- Programs.Bugs.all(), do: {to_string(name), program}) ++ gallery
  end

  def measure({name, {fun, options}}, sweeps) do
    rows = for sweep <- 1..sweeps, row = measure(fun, options, sweep * @apart + 1), do: row
    Enum.each(rows, &print(name, &1))
    rows
  end

  defp measure(fun, options, first) do
    case :timer.tc(fn ->
           Lockstep.Runner.explore(fun, [seeds: first..(first + @runs - 1), shrink: false] ++ options)
         end) do
      {_us, {:ok, _summary}} -> nil
      {_us, {:failed, failure}} -> shrink(fun, options, failure)
    end
  end

  # The seed again, with shrinking: what that takes is told from what the search takes.
  defp shrink(fun, options, failure) do
    again = fn options -> Lockstep.Runner.explore(fun, Keyword.merge(options, seeds: [failure.seed])) end
    {us, {:failed, failed}} = :timer.tc(again, [options])
    if failed.shrunk, do: Map.put(failed.shrunk, :ms, div(us, 1_000))
  end

  def header do
    IO.puts(
      String.pad_trailing("program", 32) <>
        Enum.map_join(~w(switches faults stalls steps), &String.pad_leading(&1, @column)) <>
        String.pad_leading("replays", 9) <> String.pad_leading("ms", 7) <> "  pair"
    )
  end

  defp print(name, row) do
    counts = for key <- ~w(switches faults stalls steps)a, do: "#{row.before[key]} -> #{row.after[key]}"

    IO.puts(
      String.pad_trailing(name, 32) <>
        Enum.map_join(counts, &String.pad_leading(&1, @column)) <>
        String.pad_leading("#{row.replays}", 9) <>
        String.pad_leading("#{row.ms}", 7) <> "  " <> pair(row)
    )
  end

  defp pair(%{pair: {earlier, later}}), do: "#{earlier.step}, #{later.step}"
  defp pair(%{no_pair: reason}), do: reason

  def totals(rows) do
    ratios = for %{before: %{switches: before}, after: %{switches: left}} when before > 0 <- rows, do: left / before
    sum = fn when_, key -> rows |> Enum.map(&Map.fetch!(Map.fetch!(&1, when_), key)) |> Enum.sum() end

    IO.puts("\n#{length(rows)} failing runs; the median leaves #{percent(median(ratios))} % of the context switches")
    for key <- ~w(switches faults stalls steps)a, do: IO.puts("#{key}: #{sum.(:before, key)} -> #{sum.(:after, key)}")

    IO.puts(
      "replays: median #{median(Enum.map(rows, & &1.replays))}, most #{rows |> Enum.map(& &1.replays) |> Enum.max()}"
    )

    IO.puts("a pair for #{percent(Enum.count(rows, & &1.pair) / length(rows))} % of them")
  end

  defp median(numbers), do: numbers |> Enum.sort() |> Enum.at(div(length(numbers), 2))
  defp percent(ratio), do: Float.round(ratio * 100, 1)
end

Bench.Shrink.header()

Bench.Shrink.programs()
|> Enum.filter(fn {name, _} -> names == [] or name in names end)
|> Enum.flat_map(&Bench.Shrink.measure(&1, sweeps))
|> Bench.Shrink.totals()
