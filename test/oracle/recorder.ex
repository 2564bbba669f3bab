defmodule Oracle.Recorder do
  @moduledoc false
  # A process on a node that keeps every message it gets, in order, and does what it is asked to in between.

  # virtual or real ms
  @patience 60_000

  @doc "Starts a recorder on the node of the caller."
  def start(trap?) do
    spawn(fn ->
      Process.flag(:trap_exit, trap?)
      loop([])
    end)
  end

  @doc "What the recorder, on the node of the caller, has got so far."
  def log(recorder), do: ask(recorder, :log)

  @doc "Lets the recorder call the function; its outcome."
  def tell(recorder, fun), do: ask(recorder, {:do, fun})

  @doc "As `tell/2`, and does not wait."
  def let(recorder, fun), do: send(recorder, {__MODULE__, nil, nil, {:do, fun}})

  defp ask(recorder, what) do
    monitor = Process.monitor(recorder)
    send(recorder, {__MODULE__, self(), monitor, what})

    receive do
      {^monitor, answer} ->
        Process.demonitor(monitor, [:flush])
        answer

      {:DOWN, ^monitor, _, _, reason} ->
        {:recorder_died, reason}
    after
      @patience -> :recorder_does_not_answer
    end
  end

  defp loop(log) do
    receive do
      {__MODULE__, from, tag, what} ->
        answer = if what == :log, do: Enum.reverse(log), else: Oracle.Outcome.of(elem(what, 1))
        if from, do: send(from, {tag, answer})
        loop(log)

      message ->
        loop([message | log])
    end
  end
end
