defmodule Lockstep.Runner.Worker do
  @moduledoc false
  # Who makes runs on one scheduler of the VM. It is linked to the lead of its team: neither outlives the other.
  #
  # All processes of its runs stay on that scheduler, so that runs of different workers never wait for each other.

  alias Lockstep.Runner.{Account, Job, Part}

  @typedoc "What a worker tells its lead of a chunk: the account of its runs, the failure at the end, and how long it took."
  @type news :: {:done, worker :: pid(), Account.t(), Part.finding() | nil, microseconds :: non_neg_integer()}

  @doc """
  Starts a worker of the caller. It runs the chunks that it is sent (`give/2`), as long as their places are below `limit`.
  """
  @spec start(Job.t(), :atomics.atomics_ref(), pos_integer()) :: pid()
  def start(job, limit, scheduler) do
    lead = self()
    job = %{job | scheduler: scheduler}
    :erlang.spawn_opt(fn -> loop(lead, job, limit) end, [:link, {:scheduler, scheduler}])
  end

  @doc "Gives a worker a chunk; it answers with `t:news/0`."
  @spec give(pid(), Lockstep.Runner.Ledger.chunk()) :: :ok
  def give(worker, {_place, _seeds} = chunk) do
    send(worker, chunk)
    :ok
  end

  @doc "Ends a worker after the run that it is at."
  @spec stop(pid()) :: :ok
  def stop(worker) do
    send(worker, :stop)
    :ok
  end

  defp loop(lead, job, limit) do
    receive do
      {place, seeds} ->
        {micros, {job, account, finding}} = :timer.tc(fn -> chunk(job, place, seeds, limit) end)
        send(lead, {:done, self(), account, finding, micros})
        loop(lead, job, limit)

      :stop ->
        :ok
    end
  end

  defp chunk(job, place, seeds, limit) do
    Part.run(job, seeds, Account.new(), fn _run, _result, _account -> :atomics.get(limit, 1) > place end)
  end
end
