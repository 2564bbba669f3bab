# mix run replay_shrunk.exs FILE: replays the stored choices, and says whether the traces are the same.
[file] = System.argv()
Lockstep.start()
Code.require_file("bugs.exs", __DIR__)

for {name, {seed, choices, trace}} <- :erlang.binary_to_term(File.read!(file)) do
  {program, options} = Programs.Bugs.all()[name]
  {:failed, failure} = Lockstep.Runner.explore(program, [seed: seed, strategy: {:replay, choices}] ++ options)
  IO.puts("#{name}: #{if failure.result.trace == trace, do: "the same", else: "another one"}")
end
