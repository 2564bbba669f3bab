# How many runs a second? From a run of nothing to a cluster with faults, one after the other, with everything that a
# sweep does for each: set-up, the run itself, tear-down, the account of what was covered.
#
#     MIX_ENV=test mix run bench/runs.exs
Code.require_file("support.exs", __DIR__)
Code.require_file("programs.exs", __DIR__)
Bench.Table.script(__ENV__.file)

defmodule Bench.Runs.Cases do
  @faults [partition: true, crash: [max: 1], latency: 0..50, clock_skew: 500]

  # A program, its options, and in how many runs it is measured.
  def all do
    [
      {"empty run", &Bench.Programs.empty/0, [], 100},
      {"race of 3 processes by messages", &Bench.Programs.race/0, [], 50},
      {"race of 3 processes by a table", &Bench.Programs.table/0, [], 50},
      {"an Agent and 2 Tasks", &Bench.Programs.server/0, [], 20},
      {"3 nodes, a partition that heals", &Bench.Programs.partition/0, [], 20},
      {"5 nodes under faults", &Bench.Programs.cluster/0, [faults: @faults], 4},
      {"1,000 processes", &Bench.Programs.thousand/0, [], 3}
    ]
  end

  def measured({name, fun, options, runs}) do
    runs = Bench.size(runs, 2)
    {name, runs, fn -> Bench.sweep(fun, [seeds: runs] ++ options) end}
  end

  # A run as it is on the average.
  def steps({_name, fun, options, runs}) do
    summary = Bench.sweep(fun, [seeds: max(Bench.size(runs, 2), 2)] ++ options)
    summary.steps / summary.runs
  end
end

cases = Bench.Runs.Cases.all()
[bare | rows] = Bench.measure([Bench.Bare.hand_off() | Enum.map(cases, &Bench.Runs.Cases.measured/1)], 25)
Bench.Table.write(rows, bare)

Bench.Table.plain(
  ["one run", "best", "median", "runs a second", "of CPU time", "steps", "ns a step", "times bare hand-off"],
  for {case_, row} <- Enum.zip(cases, rows) do
    steps = Bench.Runs.Cases.steps(case_)
    times = [Bench.Table.time(row.best), Bench.Table.time(row.median), Bench.Table.rate(row.best)]
    steps = [Bench.Table.decimals(steps, 1), Bench.Table.decimals(row.best / steps, 0)]
    [row.name | times] ++ [Bench.Table.rate(row.cpu) | steps] ++ [Bench.Table.decimals(row.best / bare.best, 0)]
  end
)

IO.puts("bare hand-off: #{Bench.Table.time(bare.best)}")
