defmodule Lockstep.Runner.Worker do
  @moduledoc false
  # Who makes runs on one scheduler, of this VM or of another node. It is linked to the lead of its team: neither outlives
  # the other.
  #
  # All processes of its runs stay on that scheduler, so that runs of different workers never wait for each other.

  alias Lockstep.Runner.{Account, Hosts, Job, Part, Visit}

  @typedoc """
  What a worker tells its lead of a chunk: the account of its runs, the failure at the end, and how long it took. A worker
  on another node may be lost, and its chunk with it.
  """
  @type news ::
          {:done, worker :: pid(), Account.t(), Part.finding() | nil, microseconds :: non_neg_integer()}
          | {:lost, worker :: pid(), node()}

  @doc """
  Starts a worker of the caller. It runs the chunks that it is sent (`give/2`), as long as their places are below `limit`.
  """
  @spec start(Job.t(), :atomics.atomics_ref(), Hosts.seat()) :: pid()
  def start(job, limit, {node, scheduler}) do
    lead = self()
    job = %{job | scheduler: scheduler}
    wanted? = fn place -> :atomics.get(limit, 1) > place end

    if node == node(),
      do:
        :erlang.spawn_opt(fn -> loop(lead, job, wanted?, &here(&1, &2, wanted?)) end, [:link, {:scheduler, scheduler}]),
      else: spawn_link(fn -> loop(lead, job, wanted?, &there(&1, &2, node)) end)
  end

  @doc "Gives a worker a chunk; it answers with `t:news/0`."
  @spec give(pid(), Lockstep.Runner.Ledger.chunk()) :: :ok
  def give(worker, {_place, _seeds} = chunk) do
    send(worker, {:chunk, chunk})
    :ok
  end

  @doc "Ends a worker after the run that it is at."
  @spec stop(pid()) :: :ok
  def stop(worker) do
    send(worker, :stop)
    :ok
  end

  # Nothing that comes after a failure is run, even before the lead has heard of it.
  defp loop(lead, job, wanted?, run) do
    receive do
      {:chunk, {place, seeds}} ->
        case :timer.tc(fn -> run.(job, {place, if(wanted?.(place), do: seeds, else: [])}) end) do
          {_micros, {:lost, node}} ->
            send(lead, {:lost, self(), node})

          {micros, {job, account, finding}} ->
            send(lead, {:done, self(), account, finding, micros})
            loop(lead, job, if(finding, do: &(&1 < place and wanted?.(&1)), else: wanted?), run)
        end

      :stop ->
        :ok
    end
  end

  defp here(job, {place, seeds}, wanted?) do
    Part.run(job, seeds, Account.new(), fn _run, _result, _account -> wanted?.(place) end)
  end

  defp there(job, {_place, []}, _node), do: {job, Account.new(), nil}

  defp there(job, {_place, seeds}, node) do
    :erpc.call(node, Visit, :chunk, [job, seeds, self()])
  catch
    :error, {:erpc, :noconnection} -> {:lost, node}
    :exit, {:exception, reason} -> exit(reason)
  end
end
