# mix run test/write_digests.exs FILE CACHE FIRST SEEDS: runs the scenario under the seeds 1..SEEDS and writes a digest of
# each trace into FILE. CACHE is a folder, or empty for the user's. FIRST names modules to load before anything else: what
# an earlier test may have done.
[file, cache, first, seeds] = System.argv()
if cache != "", do: Application.put_env(:lockstep, :cache_dir, cache)
Lockstep.start()
for module <- String.split(first, ",", trim: true), do: {:module, _} = Code.ensure_loaded(Module.concat([module]))
Code.require_file("scenario.exs", __DIR__)

# A trace is some hundred kilobytes, so only a few are kept at a time.
folder = file <> ".traces"

for chunk <- Enum.chunk_every(1..String.to_integer(seeds), 50) do
  Lockstep.Runner.run(&ShopScenario.day/0, seeds: chunk, trace: folder)

  for seed <- chunk do
    trace = File.read!(Path.join(folder, "seed-#{seed}.trace"))
    digest = :sha256 |> :crypto.hash(trace) |> Base.encode16(case: :lower)
    File.write!(file, "#{seed} #{byte_size(trace)} #{digest}\n", [:append])
  end

  File.rm_rf!(folder)
end
