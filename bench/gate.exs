# What does control cost? Compares steps of a run with a bare message hand-off between two processes, in the same
# run of this script, so that the ratios mean something on a busy machine too.
#
#     MIX_ENV=test mix run bench/gate.exs
Lockstep.start()

defmodule Bench.Gate do
  use Lockstep

  @rounds 20_000

  # A step that stays: nobody else can run.
  def stay do
    for _ <- 1..@rounds, do: :erlang.yield()
  end

  # A hand-off: one process sends and waits, the other is woken.
  def switch do
    main = self()
    other = spawn(fn -> echo(main) end)
    for _ <- 1..@rounds, do: bounce(other)
  end

  defp bounce(other) do
    send(other, :ping)

    receive do
      :pong -> :ok
    end
  end

  defp echo(main) do
    receive do
      :ping ->
        send(main, :pong)
        echo(main)
    end
  end

  # Three processes, about thirty steps, one lost update now and then.
  def race do
    main = self()
    for n <- 1..3, do: spawn(fn -> racer(main, n) end)
    for _ <- 1..9, do: receive(do: ({_, _} -> :ok))
  end

  defp racer(main, n) do
    for k <- 1..3, do: send(main, {n, k})
  end

  def rounds, do: @rounds
end

defmodule Bench.Report do
  @repeats 7

  # The fastest of several: the rest is the machine's other work.
  def best(name, count, fun) do
    times = for _ <- 1..@repeats, do: fun |> :timer.tc() |> elem(0)
    {name, Enum.min(times) * 1000 / count}
  end

  def print(rows, {_, base}) do
    for {name, ns} <- rows do
      IO.puts(
        String.pad_trailing(name, 44) <> pad(round(ns), 9) <> " ns" <> pad(Float.round(ns / base, 2), 9) <> " x"
      )
    end
  end

  defp pad(value, width), do: value |> to_string() |> String.pad_leading(width)
end

# Two seeds: a single one would be recorded for its report.
options = [seeds: 2, strategy: :fifo, max_stall: 0, max_steps: 1_000_000, watchdog: 60_000]
run = fn fun -> Lockstep.Runner.run(fun, options) end
rounds = Bench.Gate.rounds()

# A round trip is two hand-offs.
bare = fn fun ->
  fn ->
    {pid, monitor} = :erlang.spawn_opt(fun, [:monitor, {:scheduler, 1}])
    receive do: ({:DOWN, ^monitor, :process, ^pid, _} -> :ok)
  end
end

echo = fn -> Enum.each(1..rounds, fn _ -> receive(do: ({from, :ping} -> send(from, :pong))) end) end

bare_switch = fn ->
  other = :erlang.spawn_opt(echo, [{:scheduler, 1}])

  Enum.each(1..rounds, fn _ ->
    send(other, {self(), :ping})
    receive do: (:pong -> :ok)
  end)
end

base = Bench.Report.best("bare hand-off", 2 * rounds, bare.(bare_switch))

rows = [
  base,
  Bench.Report.best("a step that stays", 2 * rounds, fn -> run.(&Bench.Gate.stay/0) end),
  Bench.Report.best("a hand-off (send, receive, switch: 2 steps)", 4 * rounds, fn -> run.(&Bench.Gate.switch/0) end)
]

Bench.Report.print(rows, base)

seeds = 3000
sweep = fn -> Lockstep.Runner.run(&Bench.Gate.race/0, seeds: seeds) end
summary = sweep.()
{_, ns} = Bench.Report.best("race", seeds, sweep)
steps = Float.round(summary.steps / seeds, 1)

IO.puts(
  "\nrace of 3 processes, #{steps} steps a run: #{round(1.0e9 / ns)} runs a second, " <>
    "#{round(summary.steps / seeds * 1.0e9 / ns)} steps a second, #{summary.distinct} distinct schedules"
)
