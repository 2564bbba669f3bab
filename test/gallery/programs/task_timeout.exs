defmodule Gallery.TaskTimeout do
  use Gallery.Program,
    kind: :time,
    bug: "a server gives up on a task without stopping it, and does not know its late result",
    fails: :exit

  defmodule Weather do
    use GenServer

    def init(give_up), do: {:ok, give_up}

    def handle_call(:forecast, _from, give_up) do
      task = Task.async(fn -> :sunny end)

      case Task.yield(task, 50) || give_up.(task) do
        {:ok, forecast} -> {:reply, forecast, give_up}
        nil -> {:reply, :unknown, give_up}
      end
    end

    def handle_info(:refresh, give_up), do: {:noreply, give_up}
  end

  def buggy, do: forecasts(fn _task -> nil end)
  def fixed, do: forecasts(&Task.shutdown(&1, :brutal_kill))

  defp forecasts(give_up) do
    {:ok, weather} = GenServer.start(Weather, give_up)
    for _ <- 1..2, do: assert(GenServer.call(weather, :forecast, :infinity) in [:sunny, :unknown])
  end
end
