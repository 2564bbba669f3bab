# What does a long mailbox cost? A process sends itself a message and takes it out from behind 0 to 10,000 others that
# do not match; and it calls a server meanwhile, where the VM knows that no older message can be the answer.
#
#     MIX_ENV=test mix run bench/mailbox.exs
Code.require_file("support.exs", __DIR__)
Bench.Table.script(__ENV__.file)

defmodule Bench.Mailbox do
  import Bench.Both

  defboth Bench.Mailbox do
    use GenServer

    @impl true
    def init(state), do: {:ok, state}

    @impl true
    def handle_call(:next, _from, state), do: {:reply, state, state + 1}

    def receives(length, count) do
      fn ->
        fill(length)
        Lockstep.Bench.timed(fn -> take(count) end)
      end
    end

    defp take(0), do: :ok

    defp take(count) do
      send(self(), :wanted)
      receive do: (:wanted -> take(count - 1))
    end

    def calls(length, count) do
      fn ->
        {:ok, server} = GenServer.start(__MODULE__, 0, spawn_opt: [{:scheduler, 1}])
        fill(length)
        Lockstep.Bench.timed(fn -> call(server, count) end)
        GenServer.stop(server)
      end
    end

    defp call(_server, 0), do: :ok

    defp call(server, count) do
      GenServer.call(server, :next)
      call(server, count - 1)
    end

    defp fill(length) do
      for n <- 1..length//1, do: send(self(), {:other, n})
      # They have arrived, and are looked at once.
      receive do: (:never -> :ok), after: (0 -> :ok)
    end
  end
end

defmodule Bench.Mailbox.Cases do
  @work 500_000

  # What goes through a long mailbox is repeated less.
  def count(length), do: Bench.size(max(div(@work, max(length, 100)), 50), 2)

  def cases(name, function, length) do
    count = count(length)

    [plain, inside] =
      for copy <- [Plain, Inside], do: apply(Module.concat(Bench.Mailbox, copy), function, [length, count])

    [
      {"plain #{name}, #{length} others", count, fn -> Bench.Bare.alone(plain) end},
      {"#{name} under control, #{length} others", count, fn -> Bench.inside(inside) end}
    ]
  end
end

lengths = if Bench.quick?(), do: [0, 10], else: [0, 10, 100, 1_000, 10_000]
header = Enum.map(lengths, &Bench.Table.count/1)

for {name, function} <- [{"receive", :receives}, {"GenServer.call", :calls}] do
  rows = for length <- lengths, do: Bench.measure(Bench.Mailbox.Cases.cases(name, function, length), 9)
  Bench.Table.write(List.flatten(rows), rows |> hd() |> hd())
  [plain, inside] = Enum.zip_with(rows, & &1)
  times = fn figures -> Enum.map(figures, &Bench.Table.time(&1.best)) end
  growth = fn figures -> Enum.map(figures, &Bench.Table.decimals(&1.best / hd(figures).best, 2)) end
  slower = for {a, b} <- Enum.zip(inside, plain), do: Bench.Table.decimals(a.best / b.best, 2)

  Bench.Table.plain(["#{name}, by number of other messages" | header], [
    ["plain" | times.(plain)],
    ["under control" | times.(inside)],
    ["growth, plain" | growth.(plain)],
    ["growth, under control" | growth.(inside)],
    ["times plain" | slower]
  ])
end
