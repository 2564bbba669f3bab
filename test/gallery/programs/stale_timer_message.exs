defmodule Gallery.StaleTimerMessage do
  use Gallery.Program, kind: :time, bug: "the deadline of a job that was done in time hits the next job of the queue"

  defmodule Jobs do
    use GenServer

    def init(deadline), do: {:ok, {:idle, [], deadline}}

    def handle_call({:run, job, time}, from, {current, waiting, deadline}) do
      {:noreply, next({current, waiting ++ [{job, time, from}], deadline})}
    end

    def handle_cast({:done, job}, {{job, _, _}, _, _} = state), do: {:noreply, finish(:done, state)}
    def handle_cast({:done, _late}, state), do: {:noreply, state}

    def handle_info(:deadline, {{_, _, _}, _, _} = state), do: {:noreply, finish(:late, state)}
    def handle_info({:deadline, job}, {{job, _, _}, _, _} = state), do: {:noreply, finish(:late, state)}
    def handle_info(_stale, state), do: {:noreply, state}

    defp finish(answer, {{_job, from, timer}, waiting, deadline}) do
      Process.cancel_timer(timer)
      GenServer.reply(from, answer)
      next({:idle, waiting, deadline})
    end

    defp next({:idle, [{job, time, from} | waiting], deadline}) do
      timer = Process.send_after(self(), deadline.(job), time)
      jobs = self()
      spawn_link(fn -> GenServer.cast(jobs, {:done, job}) end)
      {{job, from, timer}, waiting, deadline}
    end

    defp next(state), do: state
  end

  def buggy, do: jobs(fn _job -> :deadline end)
  def fixed, do: jobs(fn job -> {:deadline, job} end)

  # The second has all the time that it needs.
  defp jobs(deadline) do
    {:ok, jobs} = GenServer.start_link(Jobs, deadline)
    run = fn job, time -> GenServer.call(jobs, {:run, job, time}, :infinity) end
    assert [_, :done] = together([fn -> run.(:first, 50) end, fn -> run.(:second, 60_000) end])
  end
end
