# mix run write_traces.exs FOLDER CACHE FIRST SEEDS: writes the traces of the programs into FOLDER. FIRST names modules
# to load, and guests to make, before anything else: what an earlier test may have done.
[folder, cache, first, seeds] = System.argv()
Application.put_env(:lockstep, :cache_dir, cache)
Lockstep.start()
Code.require_file("programs.exs", __DIR__)

for name <- String.split(first, ",", trim: true) do
  Lockstep.Instrument.load_guest!(Module.concat([name]))
end

programs = if first == "", do: Programs.all(), else: Enum.reverse(Programs.all())

for {name, program} <- programs do
  Lockstep.Runner.run(program, seeds: 1..String.to_integer(seeds), trace: Path.join(folder, to_string(name)))
end
