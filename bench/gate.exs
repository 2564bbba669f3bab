# What does control cost? Steps of a run, compared with a bare message hand-off between two plain processes.
#
#     MIX_ENV=test mix run bench/gate.exs
Code.require_file("support.exs", __DIR__)
Bench.Table.script(__ENV__.file)

defmodule Bench.Gate do
  use Lockstep

  # A step that stays: nobody else can run.
  def stay(rounds), do: fn -> Lockstep.Bench.timed(fn -> yield(rounds) end) end

  defp yield(0), do: :ok

  defp yield(rounds) do
    :erlang.yield()
    yield(rounds - 1)
  end

  # Two processes that can both go on, and take turns.
  def take_turns(rounds) do
    fn ->
      spawn(fn -> yield(2 * rounds) end)
      Lockstep.Bench.timed(fn -> yield(rounds) end)
    end
  end

  # A hand-off: one process sends and waits, the other is woken.
  def hand_off(rounds) do
    fn ->
      main = self()
      other = spawn(fn -> echo(main) end)
      Lockstep.Bench.timed(fn -> bounce(other, rounds) end)
    end
  end

  defp bounce(_other, 0), do: :ok

  defp bounce(other, rounds) do
    send(other, :ping)
    receive do: (:pong -> bounce(other, rounds - 1))
  end

  defp echo(main) do
    receive do: (:ping -> send(main, :pong))
    echo(main)
  end
end

rounds = Bench.size(5_000, 10)
bare = Bench.Bare.hand_off()

cases = [
  bare,
  {"a step that stays", rounds, fn -> Bench.inside(Bench.Gate.stay(rounds)) end},
  {"a step that switches", 2 * rounds, fn -> Bench.inside(Bench.Gate.take_turns(rounds)) end},
  {"a hand-off (send and receive: two steps)", 2 * rounds, fn -> Bench.inside(Bench.Gate.hand_off(rounds)) end}
]

Bench.Table.print("a step", Bench.measure(cases, 30))
