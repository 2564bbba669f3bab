defmodule Multinode do
  @moduledoc """
  A job that is done once a second, by one process of the whole cluster, and only while there is a cluster.

  Every node runs this application. Who does the job is up to `Multinode.Worker`.
  """

  @doc "This node and all that it is connected to."
  @spec nodes() :: [node()]
  def nodes, do: [node() | Node.list()]

  @doc "Whether there is anybody else: a node on its own is no cluster."
  @spec in_cluster?() :: boolean()
  def in_cluster?, do: length(nodes()) > 1

  @doc "The process that does the job, as far as this node knows."
  @spec worker() :: pid() | nil
  def worker, do: GenServer.whereis({:global, Multinode.Worker.name()})
end
