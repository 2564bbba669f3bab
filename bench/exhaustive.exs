# How many interleavings a second? Three processes that touch a shared table three times each, all of them run once.
#
#     MIX_ENV=test ERL_FLAGS="+S 1 +sbwt none" mix run bench/exhaustive.exs
Lockstep.start()

defmodule Bench.Exhaustive do
  use Lockstep

  @processes 3
  @accesses 3

  # The table and what is in it, the processes, their start, their accesses, what they say when they are done, and their
  # ends: 35 steps. 9! / (3!)^3 orders of the writes, 3! of what is said.
  def program do
    main = self()
    table = :ets.new(:shared, [:public])
    :ets.insert(table, {:key, 0})
    pids = for n <- 1..@processes, do: spawn(fn -> touch(main, table, n) end)
    for pid <- pids, do: send(pid, :go)
    for n <- 1..@processes, do: receive(do: ({:done, ^n} -> :ok))
    :ets.lookup(table, :key)
  end

  defp touch(main, table, n) do
    receive(do: (:go -> :ok))
    for _ <- 1..@accesses, do: :ets.insert(table, {:key, n})
    send(main, {:done, n})
  end
end

defmodule Bench.Exhaustive.Report do
  @repeats 5

  # CPU time tells how fast it is on a machine that does other things as well; without `+sbwt none` it counts the waiting of
  # idle schedulers, too. The best of several: the rest is what the others take from caches and clock.
  def print do
    # Warm: the code under test is instrumented and loaded.
    explore()
    rows = for _ <- 1..@repeats, do: measure()
    {summary, _, _} = hd(rows)
    IO.puts(summary)
    IO.puts("#{div(summary.steps, summary.runs)} steps each; the best of #{@repeats}:")
    IO.puts("#{best(rows, 1)} interleavings a second")
    IO.puts("#{best(rows, 2)} interleavings a second of CPU time")
  end

  defp measure do
    :erlang.garbage_collect()
    :erlang.statistics(:runtime)
    {micros, summary} = :timer.tc(fn -> explore() end)
    {_total, cpu_ms} = :erlang.statistics(:runtime)
    {summary, summary.runs * 1_000_000 / micros, summary.runs * 1000 / cpu_ms}
  end

  defp explore, do: Lockstep.Runner.run(&Bench.Exhaustive.program/0, strategy: :exhaustive, shrink: false)

  defp best(rows, place), do: rows |> Enum.map(&elem(&1, place)) |> Enum.max() |> round()
end

Bench.Exhaustive.Report.print()
