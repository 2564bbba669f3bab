defmodule Gallery.Drain do
  use Gallery.Program,
    kind: :lifecycle,
    bug: "a job is accepted while the queue drains, and stops with nobody to do it"

  defmodule Queue do
    use GenServer

    def init(_), do: {:ok, {:open, []}}
    def handle_call(:open?, _from, {state, _} = queue), do: {:reply, state == :open, queue}
    def handle_call({:add, job}, _from, {state, jobs}), do: {:reply, :accepted, {state, [job | jobs]}}

    def handle_call({:add_if_open, job}, _from, {:open, jobs}), do: {:reply, :accepted, {:open, [job | jobs]}}
    def handle_call({:add_if_open, _job}, _from, queue), do: {:reply, :refused, queue}
    def handle_call(:drain, _from, {_, jobs}), do: {:reply, jobs, {:draining, []}}
  end

  def buggy do
    drain(fn queue, job ->
      if GenServer.call(queue, :open?), do: GenServer.call(queue, {:add, job}), else: :refused
    end)
  end

  def fixed, do: drain(fn queue, job -> GenServer.call(queue, {:add_if_open, job}) end)

  defp drain(add) do
    {:ok, queue} = GenServer.start_link(Queue, nil)
    [answer, done] = together([fn -> add.(queue, :print) end, fn -> GenServer.call(queue, :drain) end])
    assert answer == :accepted == (done == [:print])
  end
end
