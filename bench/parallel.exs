# How much faster is a sweep on two cores? The same seeds one at a time and two at a time, in turn.
#
#     bench/run parallel
Code.require_file("support.exs", __DIR__)
Code.require_file("programs.exs", __DIR__)
Bench.Table.script(__ENV__.file)

alias Lockstep.OptionError

programs = [
  {"race of 3 processes by messages", &Bench.Programs.race/0, 4_000},
  {"an Agent and 2 Tasks", &Bench.Programs.server/0, 1_000},
  {"3 nodes, a partition that heals", &Bench.Programs.partition/0, 1_000}
]

sweep = fn fun, seeds, concurrency ->
  fn -> Lockstep.Runner.run(fun, seeds: seeds, concurrency: concurrency) end
end

# As many at a time as there are cores, and no more than can be had.
possible? = fn concurrency ->
  match?({:ok, _}, Lockstep.Options.validate([concurrency: concurrency], %{}))
end

cores = Enum.filter([1, 2, 4, 8], &(&1 <= System.schedulers_online()))

case Enum.split_with(cores, possible?) do
  {possible, [refused | _]} when length(possible) < 2 ->
    {:error, error} = Lockstep.Options.validate([concurrency: refused], %{})
    IO.puts("nothing to compare yet: " <> OptionError.message(error))

  {possible, _} ->
    for {name, fun, seeds} <- programs do
      seeds = Bench.size(seeds, 10)
      cases = for count <- possible, do: {"#{name}, #{count} at a time", seeds, sweep.(fun, seeds, count)}
      [one | _] = rows = Bench.measure(cases, 9)
      Bench.Table.write(rows, one)

      Bench.Table.plain(
        [name, "best", "median", "runs a second", "times as many"],
        for row <- rows do
          [row.name, Bench.Table.time(row.best), Bench.Table.time(row.median), Bench.Table.rate(row.best)] ++
            [Bench.Table.decimals(one.best / row.best, 2)]
        end
      )
    end
end
