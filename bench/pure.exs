# What does instrumentation cost code that has no effects? The same functions, as they are and as a run executes them.
#
#     bench/run pure
Code.require_file("support.exs", __DIR__)
Bench.Table.script(__ENV__.file)

# Compiled when Lockstep has started, and so that it can be instrumented like a module of a project: what is instrumented in
# place would be slower outside of runs as well.
Code.compile_string("""
defmodule Bench.Pure do
  # Recursion and arithmetic.
  def fib(n) when n < 2, do: n
  def fib(n), do: fib(n - 1) + fib(n - 2)

  # Sorting, with comparisons in a closure.
  def sort(list), do: Enum.sort_by(list, fn n -> rem(n * 7919, 10_007) end)

  # A pipeline of closures over a list.
  def pipeline(list) do
    list |> Enum.map(&(&1 * 3)) |> Enum.filter(&(rem(&1, 2) == 0)) |> Enum.reduce(0, &(&1 + &2))
  end

  # A map that grows and is read.
  def count(list), do: Enum.reduce(list, %{}, fn n, counts -> Map.update(counts, rem(n, 100), 1, &(&1 + 1)) end)

  # Comprehensions and pattern matching.
  def pairs(list), do: for(a <- list, rem(a, 10) == 0, b <- Enum.take(list, 20), a > b, do: {a, b})

  # Binaries.
  def words(text), do: text |> String.split(" ") |> Enum.map(&String.upcase/1) |> Enum.join("-")
  def parse(<<byte, rest::binary>>, sum), do: parse(rest, sum + byte)
  def parse(<<>>, sum), do: sum

  # A small interpreter: structs, recursion, dispatch.
  def eval({:add, a, b}), do: eval(a) + eval(b)
  def eval({:mul, a, b}), do: eval(a) * eval(b)
  def eval({:if, c, a, b}), do: if(eval(c) > 0, do: eval(a), else: eval(b))
  def eval(n) when is_integer(n), do: n
end
""")

defmodule Lockstep.BenchPure do
  @moduledoc false
  # Calls the copy that a run would call, or the module itself; this is not under control.

  @doc "The guest copy, of which there is one as soon as it is asked for."
  def copy(:inside), do: Lockstep.Instrument.load_guest!(Bench.Pure)
  def copy(:plain), do: Bench.Pure

  @doc "Measures so many calls."
  def repeat(which, function, args, count) do
    module = copy(which)
    Lockstep.Bench.timed(fn -> again(count, module, function, args) end)
  end

  defp again(0, _module, _function, _args), do: :ok

  defp again(count, module, function, args) do
    apply(module, function, args)
    again(count - 1, module, function, args)
  end
end

defmodule Bench.Pure.Run do
  use Lockstep

  def repeat(function, args, count), do: fn -> Lockstep.BenchPure.repeat(:inside, function, args, count) end
end

defmodule Bench.Pure.Cases do
  @list Enum.to_list(1..1_000)
  @text Enum.map_join(1..300, " ", &"word#{&1}")
  @tree Enum.reduce(1..200, 1, fn n, tree -> {:if, {:add, n, {:mul, n, 3}}, {:add, tree, n}, {:mul, n, 2}} end)

  def all do
    [
      {"recursion", :fib, [18]},
      {"sort with a closure", :sort, [@list]},
      {"pipeline of closures", :pipeline, [@list]},
      {"counting in a map", :count, [@list]},
      {"comprehensions", :pairs, [@list]},
      {"words", :words, [@text]},
      {"parsing a binary", :parse, [@text, 0]},
      {"an interpreter", :eval, [@tree]}
    ]
  end

  # Plain, and in a run.
  def pair({name, function, args}) do
    count = Bench.size(30, 1)
    plain = fn -> Lockstep.BenchPure.repeat(:plain, function, args, count) end
    inside = Bench.Pure.Run.repeat(function, args, count)

    [
      {"plain #{name}", count, fn -> Bench.Bare.alone(plain) end},
      {name, count, fn -> Bench.inside(inside) end}
    ]
  end
end

rows = Bench.Pure.Cases.all() |> Enum.flat_map(&Bench.Pure.Cases.pair/1) |> Bench.measure(31) |> Enum.chunk_every(2)
for [plain, inside] <- rows, do: Bench.Table.write([inside], plain)

Bench.Table.plain(
  ["pure code", "plain", "inside", "ratio"],
  for [plain, inside] <- rows do
    ratio = Bench.Table.decimals(inside.best / plain.best, 2)
    [inside.name, Bench.Table.time(plain.best), Bench.Table.time(inside.best), ratio]
  end
)

logarithms = for [plain, inside] <- rows, do: :math.log(inside.best / plain.best)
mean = :math.exp(Enum.sum(logarithms) / length(logarithms))
IO.puts("geometric mean of the ratios: #{Bench.Table.decimals(mean, 2)}")
