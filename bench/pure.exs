# What does instrumentation cost code that has no effects? The same functions, as they are and as a run executes them,
# in the same run of this script.
#
#     MIX_ENV=test mix run bench/pure.exs
Lockstep.start()

# Two copies of one module: what is instrumented in place would be slower outside of runs as well.
source = """
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
"""

Code.compile_string("defmodule Bench.Plain do\n#{source}\nend")

defmodule Bench.Cases do
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
end

defmodule Bench.Time do
  @rounds 21
  @repeats 200

  # The fastest of several: the rest is the machine's other work.
  def best(module, function, args) do
    best = for _ <- 1..@rounds, do: elem(:timer.tc(fn -> repeat(@repeats, module, function, args) end), 0)
    Enum.min(best) / @repeats
  end

  defp repeat(0, _module, _function, _args), do: :ok

  defp repeat(n, module, function, args) do
    apply(module, function, args)
    repeat(n - 1, module, function, args)
  end
end

# The guest is called as a process of a run calls it; what measures it is not under control.
defmodule Bench.Inside do
  use Lockstep

  def times(cases) do
    parent = self()

    Lockstep.Runner.run(fn -> Lockstep.Bench.measure(cases, parent) end, seeds: 1, watchdog: 120_000)

    receive do
      {:times, times} -> times
    end
  end
end

defmodule Lockstep.Bench do
  def measure(cases, parent) do
    guest = Lockstep.Instrument.load_guest!(Bench.Plain)
    send(parent, {:times, for({_, function, args} <- cases, do: Bench.Time.best(guest, function, args))})
  end
end

cases = Bench.Cases.all()
plain = for {_, function, args} <- cases, do: Bench.Time.best(Bench.Plain, function, args)
inside = Bench.Inside.times(cases)

IO.puts(String.pad_trailing("pure code", 24) <> "  plain us  inside us   ratio")

ratios =
  for {{name, _, _}, a, b} <- Enum.zip([cases, plain, inside]) do
    IO.puts("#{String.pad_trailing(name, 24)} #{:io_lib.format("~9.2f  ~9.2f  ~6.2f", [a, b, b / a])}")
    :math.log(b / a)
  end

IO.puts("geometric mean of the ratios: #{:io_lib.format("~.2f", [:math.exp(Enum.sum(ratios) / length(ratios))])}")
