# Does a step cost more, or a run more memory, the longer the run has been going on? Runs of up to 10^3 to 10^6 steps, which
# keep nothing but a hash, as those of a sweep.
#
#     bench/run length
Code.require_file("support.exs", __DIR__)
Bench.Table.script(__ENV__.file)

defmodule Bench.Length do
  use Lockstep

  # Two processes that send each other messages and write to a table: six steps a round.
  def steady(rounds), do: program(rounds, fn -> :ok end)

  # The same, and a process a round that ends: fourteen steps.
  def short_lived(rounds) do
    program(rounds, fn ->
      {_pid, monitor} = spawn_monitor(fn -> :ok end)
      receive do: ({:DOWN, ^monitor, _, _, _} -> :ok)
    end)
  end

  # What it takes is noted after a tenth, when all has been used once, and at the end.
  defp program(rounds, also) do
    fn ->
      main = self()
      table = :ets.new(:shared, [:public])
      other = spawn(fn -> answer(main, table) end)
      ask(other, table, also, div(rounds, 10))
      Lockstep.Bench.weigh()
      Lockstep.Bench.timed(fn -> ask(other, table, also, rounds - div(rounds, 10)) end)
      Lockstep.Bench.weigh()
    end
  end

  defp ask(_other, _table, _also, 0), do: :ok

  defp ask(other, table, also, rounds) do
    send(other, :ask)
    receive do: (:answer -> :ets.insert(table, {:asked, rounds}))
    also.()
    ask(other, table, also, rounds - 1)
  end

  defp answer(main, table) do
    receive do: (:ask -> send(main, :answer))
    :ets.insert(table, {:answered, self()})
    answer(main, table)
  end
end

defmodule Bench.Length.Cases do
  @rounds 100

  @doc "A step, and what memory the last nine tenths of a run took in addition; the best of several."
  def measure(program, strategy, steps) do
    rounds = div(steps, steps_a_round(program, strategy))
    measured = for _ <- 1..repetitions(steps), do: once(program, strategy, rounds)
    {_, _, grown} = Enum.min_by(measured, fn {_, _, grown} -> abs(grown) end)
    {taken, nanoseconds, _} = Enum.min_by(measured, fn {_, ns, _} -> ns end)
    %{steps: taken, ns: nanoseconds / (0.9 * taken), grown: grown}
  end

  defp steps_a_round(program, strategy) do
    {steps, _, _} = once(program, strategy, @rounds)
    round(steps / @rounds)
  end

  defp repetitions(steps), do: Bench.size(max(min(div(200_000, steps), 20), 1), 1)

  defp once(program, strategy, rounds) do
    fun = apply(Bench.Length, program, [rounds])
    limits = [max_steps: 100_000_000, max_virtual_time: 1_000_000_000, watchdog: 60_000]
    # A single seed would be recorded.
    options = [seeds: 2, strategy: strategy, max_stall: 0, shrink: false] ++ limits
    Lockstep.Bench.listen()
    summary = Bench.sweep(fun, options)
    [before, later | _] = Lockstep.Bench.weighed()
    {div(summary.steps, summary.runs), Lockstep.Bench.fastest(), later - before}
  end
end

sizes = if Bench.quick?(), do: [1_000], else: [1_000, 10_000, 100_000, 1_000_000]
# Which of them is not measured at every length.
sizes_of = fn kind -> if kind == {:short_lived, :surw}, do: Enum.filter(sizes, &(&1 <= 10_000)), else: sizes end
kinds = for program <- [:steady, :short_lived], strategy <- [:fifo, :random, :surw], do: {program, strategy}
titles = %{steady: "two processes", short_lived: "and short-lived ones"}

measured =
  for {program, strategy} <- kinds do
    {"#{titles[program]}, #{strategy}",
     for(size <- sizes_of.({program, strategy}), do: Bench.Length.Cases.measure(program, strategy, size))}
  end

for {name, [first | _] = figures} <- measured do
  rows =
    for {size, figure} <- Enum.zip(sizes, figures),
        do: %{name: "#{name}, #{size} steps", best: figure.ns, median: figure.ns}

  Bench.Table.write(rows, %{name: name, best: first.ns})
end

header = Enum.map(sizes, &Bench.Table.count/1)

Bench.Table.plain(
  ["ns a step, in a run of so many steps" | header] ++ ["growth"],
  for {name, figures} <- measured do
    times =
      for n <- 1..length(sizes),
          do: if(figure = Enum.at(figures, n - 1), do: Bench.Table.decimals(figure.ns, 0), else: "-")

    [name | times] ++ [Bench.Table.decimals(List.last(figures).ns / hd(figures).ns, 2)]
  end
)

Bench.Table.plain(
  ["memory that the last 9 of 10 steps added" | header] ++ ["bytes a step"],
  for {name, figures} <- measured do
    last = List.last(figures)

    memory =
      for n <- 1..length(sizes),
          do: if(figure = Enum.at(figures, n - 1), do: Bench.Table.memory(figure.grown), else: "-")

    [name | memory] ++ [Bench.Table.decimals(last.grown / (0.9 * last.steps), 2)]
  end
)
