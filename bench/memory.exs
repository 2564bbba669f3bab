# Does a long sweep leave anything behind? What the VM takes, and what there is in it, after 10,000 runs and after 1,000,000
# (or as many as are asked for) in one VM; and what one run takes while it lasts.
#
#     bench/run memory
#     MIX_ENV=test mix run bench/memory.exs 100000
Code.require_file("support.exs", __DIR__)
Bench.Table.script(__ENV__.file)

defmodule Bench.Memory do
  use Lockstep

  # A bit of everything that might be left behind: processes that end and that do not, links, names, tables, timers,
  # monitors, a server.
  def program do
    main = self()
    table = :ets.new(:shared, [:public, :named_table])
    Process.register(self(), :main)
    for n <- 1..2, do: spawn(fn -> :ets.insert(table, {n, self()}) && send(:main, {:done, n}) end)
    spawn(fn -> receive(do: (:never -> :ok)) end)
    {:ok, agent} = Agent.start_link(fn -> 0 end)
    Process.send_after(self(), :tick, 10)
    Process.send_after(self(), :never, 1_000_000)
    {_pid, monitor} = spawn_monitor(fn -> Agent.update(agent, &(&1 + 1)) end)
    receive do: ({:DOWN, ^monitor, _, _, _} -> :ok)
    for n <- 1..2, do: receive(do: ({:done, ^n} -> :ok))
    receive do: (:tick -> send(main, :ok))
  end

  # So many processes that wait, all of which have taken a step.
  def processes(count) do
    fn ->
      Lockstep.Bench.weigh()
      for _ <- 1..count//1, do: spawn(fn -> receive(do: (:never -> :ok)) end)
      Process.sleep(1)
      Lockstep.Bench.weigh()
    end
  end
end

defmodule Bench.Memory.Sweep do
  @chunk 10_000
  @settle 200

  # Sweeps of many seeds each, so that what a sweep itself keeps (which schedules it has met) is not counted.
  def after_runs(runs) do
    for _ <- 1..max(div(runs, chunk()), 1), do: Bench.sweep(&Bench.Memory.program/0, seeds: chunk())
    # What ended processes have left is freed a little later.
    :erlang.garbage_collect()
    Process.sleep(@settle)
    Map.put(counts(), :resident, Lockstep.Bench.resident())
  end

  def chunk, do: Bench.size(@chunk, 20)

  defp counts do
    %{
      atoms: :erlang.system_info(:atom_count),
      processes: :erlang.system_info(:process_count),
      tables: length(:ets.all()),
      ports: :erlang.system_info(:port_count),
      vm: :erlang.memory(:total),
      binaries: :erlang.memory(:binary),
      code: :erlang.memory(:code)
    }
  end
end

defmodule Bench.Memory.One do
  @moduledoc false
  # What the processes of one run take: what the VM takes more with them than before, divided by how many they are.

  def process_of_a_run(count) do
    Lockstep.Bench.listen()
    Bench.sweep(Bench.Memory.processes(count), seeds: 2, strategy: :fifo, max_stall: 0)
    grown(count)
  end

  def plain_process(count) do
    Lockstep.Bench.listen()
    Lockstep.Bench.weigh()
    pids = for _ <- 1..count, do: spawn(fn -> receive(do: (:never -> :ok)) end)
    Process.sleep(100)
    Lockstep.Bench.weigh()
    for pid <- pids, do: Process.exit(pid, :kill)
    grown(count)
  end

  defp grown(count) do
    [before, later | _] = Lockstep.Bench.weighed()
    Bench.Table.memory((later - before) / count)
  end
end

count = Bench.size(20_000, 10)
plain = Bench.Memory.One.plain_process(count)
# The second time, memory that was freed is there to be used again: so the first counts.
IO.puts("a process that waits takes #{Bench.Memory.One.process_of_a_run(count)} in a run, a plain one #{plain}")

last = List.first(Bench.arguments()) || to_string(Bench.size(1_000_000, 80))
chunk = Bench.Memory.Sweep.chunk()
points = Enum.filter([chunk, 10 * chunk], &(&1 < String.to_integer(last))) ++ [String.to_integer(last)]

{measured, _} =
  Enum.map_reduce(points, 0, fn runs, done ->
    {micros, measured} = :timer.tc(fn -> Bench.Memory.Sweep.after_runs(runs - done) end)
    {Map.put(measured, :rate, round((runs - done) * 1_000_000 / micros)), runs}
  end)

kinds = [
  resident: "resident memory",
  vm: "of that, the VM's own",
  binaries: "binaries",
  code: "code",
  atoms: "atoms",
  processes: "processes",
  tables: "ETS tables",
  ports: "ports",
  rate: "runs a second"
]

Bench.Table.plain(
  ["after so many runs" | Enum.map(points, &Bench.Table.count/1)] ++ ["last to first"],
  for {key, title} <- kinds do
    show = if key in [:resident, :vm, :binaries, :code], do: &Bench.Table.memory/1, else: &Bench.Table.count/1

    [title | Enum.map(measured, &show.(&1[key]))] ++
      [Bench.Table.decimals(List.last(measured)[key] / hd(measured)[key], 3)]
  end
)
