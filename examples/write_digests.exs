# MIX_ENV=test mix run --no-start ../write_digests.exs FILE SEEDS, in the folder of an example: runs its scenarios under so many seeds
# and writes a digest of each trace into the file. Two processes of the operating system write the same.
[file, seeds] = System.argv()

Lockstep.start()
if Code.ensure_loaded?(Lockstep.Compat), do: Lockstep.Compat.install()
[{scenario, _} | _] = Code.require_file("test/scenario.exs")
trace = file <> ".trace"

for {name, fun} <- scenario.bugs() ++ scenario.twins(), seed <- 1..String.to_integer(seeds) do
  Lockstep.Runner.explore(fun, seed: seed, strategy: :random, trace: trace, shrink: false, failures: false)
  digest = :sha256 |> :crypto.hash(File.read!(trace)) |> Base.encode16(case: :lower)
  File.write!(file, "#{name}, seed #{seed}: #{File.stat!(trace).size} bytes, #{digest}\n", [:append])
  File.rm!(trace)
end
