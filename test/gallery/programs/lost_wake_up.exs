defmodule Gallery.LostWakeUp do
  use Gallery.Program,
    kind: :liveness,
    bug: "a job arrives between a worker's look at the queue and its asking to be woken",
    fails: Lockstep.DeadlockError

  defmodule Queue do
    use GenServer

    def init(wake_at_once?), do: {:ok, {[], [], wake_at_once?}}

    def handle_call({:push, job}, _from, {jobs, waiting, wake?}) do
      Enum.each(waiting, &send(&1, :wake_up))
      {:reply, :ok, {[job | jobs], [], wake?}}
    end

    def handle_call(:pop, _from, {[], waiting, wake?}), do: {:reply, :empty, {[], waiting, wake?}}
    def handle_call(:pop, _from, {[job | jobs], waiting, wake?}), do: {:reply, job, {jobs, waiting, wake?}}

    def handle_call(:wait, {worker, _tag}, {jobs, waiting, wake?}) do
      if wake? and jobs != [], do: send(worker, :wake_up)
      {:reply, :ok, {jobs, [worker | waiting], wake?}}
    end
  end

  def buggy, do: work(false)
  def fixed, do: work(true)

  defp work(wake_at_once?) do
    {:ok, queue} = GenServer.start_link(Queue, wake_at_once?)
    assert [:print, :ok] = together([fn -> next(queue) end, fn -> GenServer.call(queue, {:push, :print}) end])
  end

  defp next(queue) do
    with :empty <- GenServer.call(queue, :pop) do
      :ok = GenServer.call(queue, :wait)
      receive do: (:wake_up -> next(queue))
    end
  end
end
