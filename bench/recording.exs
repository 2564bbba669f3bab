# What does recording cost? A sweep keeps a hash of each run; the run that is shown keeps every event, in words and with its
# place in the source, and its trace.
#
#     bench/run recording
Code.require_file("support.exs", __DIR__)
Bench.Table.script(__ENV__.file)

defmodule Bench.Recording do
  use Lockstep
  use GenServer

  @impl true
  def init(state), do: {:ok, state}

  @impl true
  def handle_call({:add, n}, _from, state), do: {:reply, state, state + n}

  # Three clients of one server.
  def program(rounds) do
    fn ->
      {:ok, server} = GenServer.start_link(__MODULE__, 0)

      1..3
      |> Enum.map(fn n -> Task.async(fn -> for _ <- 1..rounds, do: GenServer.call(server, {:add, n}) end) end)
      |> Task.await_many(:infinity)
    end
  end
end

cases = fn rounds ->
  fun = Bench.Recording.program(rounds)
  run = fn options -> Bench.sweep(fun, [strategy: :random, max_stall: 0, shrink: false] ++ options) end
  steps = run.(seeds: [1, 1]).steps |> div(2)

  # One seed alone is recorded, since it is going to be shown.
  {steps,
   [
     {"hash only, #{steps} steps", 2, fn -> run.(seeds: [1, 1]) end},
     {"recorded, #{steps} steps", 1, fn -> run.(seed: 1) end}
   ]}
end

for rounds <- if(Bench.quick?(), do: [2], else: [2, 20, 200, 2_000]) do
  {steps, cases} = cases.(rounds)
  [hash, recorded] = rows = Bench.measure(cases, 9)
  Bench.Table.print("a run of #{steps} steps", rows)

  IO.puts(
    "a recorded step: #{Bench.Table.time(recorded.best / steps)}, one that is not: #{Bench.Table.time(hash.best / steps)}"
  )
end
