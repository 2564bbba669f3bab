# How many interleavings a second? Three processes that touch a shared table three times each, all of them run once.
#
#     MIX_ENV=test ERL_FLAGS="+S 1 +sbwt none" mix run bench/exhaustive.exs
Lockstep.start()

defmodule Bench.Exhaustive do
  use Lockstep

  @processes 3
  @accesses 3

  # The table, the processes, their accesses, what they say when they are done, and their ends.
  def program do
    main = self()
    table = :ets.new(:shared, [:public])
    for n <- 1..@processes, do: spawn(fn -> touch(main, table, n) end)
    for n <- 1..@processes, do: receive(do: ({:done, ^n} -> :ok))
  end

  defp touch(main, table, n) do
    for _ <- 1..@accesses, do: :ets.insert(table, {:key, n})
    send(main, {:done, n})
  end
end

# Warm: the code under test is instrumented and loaded.
Lockstep.Runner.run(&Bench.Exhaustive.program/0, strategy: :exhaustive, max_runs: 10, shrink: false)
options = [strategy: :exhaustive, shrink: false]
:erlang.statistics(:runtime)
{micros, summary} = :timer.tc(fn -> Lockstep.Runner.run(&Bench.Exhaustive.program/0, options) end)
{_total, cpu_ms} = :erlang.statistics(:runtime)

IO.puts(summary)

IO.puts(
  "#{div(summary.steps, summary.runs)} steps each, #{round(summary.runs * 1_000_000 / micros)} interleavings a second"
)

# On a machine that does other things as well, this is what says how fast it is. Without `+sbwt none` it counts the
# waiting of idle schedulers, too.
IO.puts("#{round(summary.runs * 1000 / cpu_ms)} interleavings a second of CPU time")
