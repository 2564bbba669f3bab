# What does each strategy cost a step? The same program under all of them, with few and with many processes that could go on.
#
#     bench/run strategies
Code.require_file("support.exs", __DIR__)
Bench.Table.script(__ENV__.file)

defmodule Bench.Strategies do
  use Lockstep

  # Processes that read and write a table of their own and one that they share, and tell the main process.
  def program(count, rounds) do
    fn ->
      main = self()
      table = :ets.new(:shared, [:public])
      for n <- 1..count, do: spawn(fn -> work(main, table, n, rounds) end)
      for n <- 1..count, do: receive(do: ({:done, ^n} -> :ok))
    end
  end

  defp work(main, table, n, rounds) do
    for k <- 1..rounds do
      :ets.insert(table, {{n, k}, :own})
      :ets.lookup(table, :shared)
      if rem(k, 4) == 0, do: :ets.insert(table, {:shared, n})
    end

    send(main, {:done, n})
  end
end

# An ordinary strategy in Elixir: who has waited longest.
defmodule Bench.Strategies.Own do
  @behaviour Lockstep.Strategy

  @impl true
  def init(_seed, _profile, _args), do: nil

  @impl true
  def schedule(_events, nil), do: {0, nil}
end

defmodule Bench.Strategies.Cases do
  @strategies [:fifo, :random, :pos, {:pct, 2}, {:pct, 3}, :surw, :portfolio, Bench.Strategies.Own]
  def measure(count, rounds, seeds) do
    runs = for strategy <- @strategies, do: {strategy, sweep(count, rounds, strategy, seeds)}
    steps = for {_strategy, run} <- runs, do: run.().steps

    cases =
      for {{strategy, run}, steps} <- Enum.zip(runs, steps), do: {"#{name(strategy)}, #{count} processes", steps, run}

    Bench.measure(cases, 9)
  end

  # With the undisturbed run, which some strategies learn from, before the first.
  defp sweep(count, rounds, strategy, seeds) do
    fun = Bench.Strategies.program(count, rounds)
    fn -> Bench.sweep(fun, seeds: seeds, strategy: strategy, shrink: false) end
  end

  defp name({:pct, depth}), do: "pct, depth #{depth}"
  defp name(Bench.Strategies.Own), do: "one in Elixir"
  defp name(strategy), do: to_string(strategy)
end

# About as many steps each.
for {count, rounds, seeds} <- if(Bench.quick?(), do: [{2, 2, 2}], else: [{3, 100, 20}, {30, 20, 10}, {300, 4, 4}]) do
  Bench.Table.print(
    "a step with everything, #{count} processes",
    Bench.Strategies.Cases.measure(count, rounds, seeds)
  )
end
