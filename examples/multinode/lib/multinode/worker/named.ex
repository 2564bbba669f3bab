defmodule Multinode.Worker.Named do
  @moduledoc """
  A worker on every node, under one name for the whole cluster: whoever is not the first cannot have the name.

  Works as long as all nodes are connected before they start it. Nodes that start on their own each have one; when they
  meet, all but one are killed, and their supervisors, which cannot start them again, give up.
  """

  @behaviour Multinode.Worker

  use GenServer

  alias Multinode.{Job, Worker}

  @impl Worker
  def children, do: [__MODULE__]

  @spec start_link(term()) :: GenServer.on_start()
  def start_link(_), do: GenServer.start_link(__MODULE__, [], name: {:global, Worker.name()})

  @impl GenServer
  def init([]) do
    next_round()
    {:ok, []}
  end

  @impl GenServer
  def handle_info(:round, state) do
    next_round()
    if Multinode.in_cluster?(), do: Job.run(Job.current())
    {:noreply, state}
  end

  defp next_round, do: Process.send_after(self(), :round, Job.period())
end
