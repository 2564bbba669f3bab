# mix run replay_shrunk.exs FILE: replays stored choices, and says whether the traces are the same. FILE is a term,
# `[{name, seed, options, choices, trace}]`, with names as in `Programs.Bugs` or of the gallery.
[file] = System.argv()
Lockstep.start()
Code.require_file("bugs.exs", __DIR__)
for support <- ~w(program library), do: Code.require_file("../gallery/support/#{support}.exs", __DIR__)

program = fn
  {:bug, name} ->
    elem(Programs.Bugs.all()[name], 0)

  {:gallery, name} ->
    {:ok, [%{module: module}]} = Gallery.Library.load([name])
    &module.buggy/0
end

for {name, seed, options, choices, trace} <- :erlang.binary_to_term(File.read!(file)) do
  options = Keyword.merge(options, seed: seed, strategy: {:replay, choices}, failures: false)
  {:failed, failure} = Lockstep.Runner.explore(program.(name), options)
  IO.puts("#{inspect(name)}: #{if failure.result.trace == trace, do: "the same", else: "another one"}")
end
