defmodule Gallery.DoubleRestart do
  use Gallery.Program, kind: :lifecycle, bug: "two watchers see that a worker has died, and both start another"

  defmodule Worker do
    use GenServer

    def init(started) do
      :counters.add(started, 1, 1)
      {:ok, started}
    end
  end

  def buggy, do: watch(&look_and_start/1)
  def fixed, do: watch(&GenServer.start(Worker, &1, name: Worker))

  defp look_and_start(started) do
    if Process.whereis(Worker) == nil do
      {:ok, pid} = GenServer.start(Worker, started)
      register(pid)
    end
  end

  defp register(pid) do
    Process.register(pid, Worker)
  rescue
    ArgumentError -> :somebody_was_faster
  end

  defp watch(start) do
    started = :counters.new(1, [])
    {:ok, worker} = GenServer.start(Worker, started, name: Worker)
    crash = fn -> Process.exit(worker, :kill) end
    together([crash | for(_ <- 1..2, do: fn -> watch(worker, fn -> start.(started) end) end)])
    assert :counters.get(started, 1) == 2
  end

  defp watch(worker, restart) do
    monitor = Process.monitor(worker)
    receive do: ({:DOWN, ^monitor, :process, _, _reason} -> restart.())
  end
end
