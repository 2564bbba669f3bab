defmodule Multinode.Worker.Standby do
  @moduledoc """
  A candidate on every node, one of which has the cluster's name and does the job.

  A candidate never fails to start, and nothing happens to one that loses the name: it stands by until the name is
  free. A name alone does not make sure that a round is done once, because for a moment there can be two owners, when
  parts of a cluster meet. So every round has to be granted by `Multinode.Ledger`, too.
  """

  @behaviour Multinode.Worker

  use GenServer

  alias Multinode.{Job, Ledger, Worker}

  @impl Worker
  def children, do: [Ledger, __MODULE__]

  @spec start_link(term()) :: GenServer.on_start()
  def start_link(_), do: GenServer.start_link(__MODULE__, [], name: __MODULE__)

  @impl GenServer
  def init([]) do
    next_round()
    {:ok, []}
  end

  @impl GenServer
  def handle_info(:round, state) do
    next_round()
    round = Job.current()
    if Ledger.majority?() and owner?() and Ledger.grant?(round), do: Job.run(round)
    {:noreply, state}
  end

  # Somebody else has the name now, which the next round will see.
  def handle_info({:global_name_conflict, _name}, state), do: {:noreply, state}

  defp next_round, do: Process.send_after(self(), :round, Job.period())

  defp owner? do
    case Multinode.worker() do
      nil -> :global.register_name(Worker.name(), self(), &:global.random_notify_name/3) == :yes
      pid -> pid == self()
    end
  end
end
