# Does a step cost more the more processes there are? Of 2 to 10,000 processes, beside a bare ring of as many, because to
# go through many heaps costs the VM something, too.
#
#     MIX_ENV=test mix run bench/processes.exs [MOST]
Code.require_file("support.exs", __DIR__)
Bench.Table.script(__ENV__.file)

defmodule Bench.Processes do
  use Lockstep

  @times 20

  # A message goes around, and everybody else waits.
  def ring(count, rounds) do
    fn ->
      main = self()
      first = Enum.reduce(2..count//1, main, fn _, next -> spawn(fn -> pass_on(next) end) end)
      settle()
      Lockstep.Bench.timed(fn -> pass_from(first, rounds) end)
    end
  end

  # All are told to begin, and can go on until all have taken so many steps and time passes: two more for each.
  def all(count, rounds) do
    fn ->
      others = for _ <- 2..count//1, do: spawn(fn -> receive(do: (:go -> yield(rounds))) && wait() end)
      settle()
      Lockstep.Bench.timed(fn -> for(pid <- others, do: send(pid, :go)) && yield(rounds) && Process.sleep(1) end)
    end
  end

  # Two take turns, and all others wait for a message that does not come.
  def two(count, rounds) do
    fn ->
      for _ <- 3..count//1, do: spawn(&wait/0)
      spawn(fn -> yield(4 * rounds) end)
      settle()
      Lockstep.Bench.timed(fn -> yield(rounds) end)
    end
  end

  # All can go on, and one does; after some steps it would have to let the others go first.
  def one(count, rounds) do
    fn ->
      for _ <- 2..count//1, do: spawn(fn -> yield(@times * 10) end)

      for _ <- 1..@times do
        settle()
        Lockstep.Bench.timed(fn -> look(rounds) end)
      end
    end
  end

  defp wait, do: receive(do: (:never -> :ok))

  # Everybody has started.
  defp settle, do: yield(2)

  defp yield(0), do: true

  defp yield(rounds) do
    :erlang.yield()
    yield(rounds - 1)
  end

  defp look(0), do: :ok

  defp look(rounds) do
    :erlang.whereis(:nobody)
    look(rounds - 1)
  end

  defp pass_from(_first, 0), do: :ok

  defp pass_from(first, rounds) do
    send(first, :token)
    receive do: (:token -> pass_from(first, rounds - 1))
  end

  defp pass_on(next) do
    receive do: (:token -> send(next, :token))
    pass_on(next)
  end
end

defmodule Bench.Processes.Cases do
  alias Bench.Processes

  # So many rounds that each does about the same work.
  @work 40_000
  @fewest 10
  @slice 400

  def all(count) do
    work = Bench.size(@work, 10)
    rounds = max(div(work, count), @fewest)
    inside = fn fun, options -> fn -> Bench.inside(fun, options) end end

    [
      {"bare ring", count * rounds, fn -> Bench.Bare.ring(count, rounds) end},
      {"ring: send, receive and switch", count * rounds, inside.(Processes.ring(count, rounds), [])},
      {"all take turns", count * (rounds + 2), inside.(Processes.all(count, rounds), [])},
      {"all at random", count * (rounds + 2), inside.(Processes.all(count, rounds), strategy: :random)},
      {"two take turns, the others wait", work, inside.(Processes.two(count, div(work, 2)), [])},
      {"one goes on, the others could", @slice, inside.(Processes.one(count, @slice), [])}
    ]
  end
end

most = List.first(Bench.arguments()) || to_string(Bench.size(10_000, 10))
counts = Enum.filter([2, 10, 100, 1_000, 10_000], &(&1 <= String.to_integer(most)))
rows = for count <- counts, do: Bench.measure(Bench.Processes.Cases.all(count), 9)

named =
  for {row, count} <- Enum.zip(rows, counts),
      figure <- row,
      do: %{figure | name: "#{figure.name}, #{count} processes"}

Bench.Table.write(named, hd(named))

# What a number of processes costs, against two of them.
flat = fn figures -> Enum.map(figures, &Bench.Table.decimals(&1.best / hd(figures).best, 2)) end
header = Enum.map(counts, &Bench.Table.count/1)
kinds = Enum.zip_with(rows, & &1)

Bench.Table.plain(
  ["ns a step or hand-off, by number of processes" | header],
  for(figures <- kinds, do: [hd(figures).name | Enum.map(figures, &Bench.Table.decimals(&1.best, 0))])
)

Bench.Table.plain(
  ["times that of 2 processes" | header],
  for(figures <- kinds, do: [hd(figures).name | flat.(figures)])
)

Bench.Table.plain(
  ["times a hand-off of the bare ring of as many" | header],
  for figures <- tl(kinds) do
    [
      hd(figures).name
      | Enum.map(Enum.zip(figures, hd(kinds)), fn {a, b} -> Bench.Table.decimals(a.best / b.best, 2) end)
    ]
  end
)
