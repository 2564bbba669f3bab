# MIX_ENV=test mix run --no-start ../measure.exs [SWEEPS [SEEDS]], in the folder of an example: how many seeds it takes to find
# each of its bugs, over so many sweeps (100) with seeds of their own, and that its corrected twins pass so many seeds (5000).
# With ERL_FLAGS="+S 1 +sbwt none" the CPU time is that of the runs alone, whatever else the machine does.
[sweeps, seeds] = Enum.map(System.argv() ++ Enum.drop(["100", "5000"], length(System.argv())), &String.to_integer/1)

Lockstep.start()
if Code.ensure_loaded?(Lockstep.Compat), do: Lockstep.Compat.install()
[{scenario, _} | _] = Code.require_file("test/scenario.exs")

budget = 500

find = fn fun, sweep ->
  first = sweep * 1_000_000 + 1

  case Lockstep.Runner.explore(fun, seeds: first..(first + budget - 1), shrink: false, failures: false) do
    {:failed, failure} -> failure.run
    {:ok, _summary} -> :not_found
  end
end

for {name, fun} <- scenario.bugs() do
  runs = Enum.sort(for sweep <- 1..sweeps, do: find.(fun, sweep))
  # An atom comes after all numbers.
  IO.puts("#{name}: median #{Enum.at(runs, div(sweeps, 2))}, worst #{List.last(runs)} of #{budget}, #{sweeps} sweeps")
end

for {name, fun} <- scenario.twins() do
  :erlang.statistics(:runtime)
  summary = Lockstep.Runner.run(fun, seeds: seeds)
  {_total, cpu_ms} = :erlang.statistics(:runtime)
  IO.puts("#{name}: #{summary}; #{round(summary.runs * 1000 / cpu_ms)} seeds a second of CPU time")
end
