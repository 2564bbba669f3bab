defmodule KV do
  @moduledoc """
  A small key-value store with one replica on each node.

  One replica leads and takes the writes; the others copy it. A write is acknowledged when enough replicas have it,
  and a replica leads when enough replicas have voted for it. How many are enough is the business of `KV.Quorum`.
  """

  @timeout 500

  @doc """
  Starts this node's replica. Options: `:members`, the nodes of the store, and `:quorum`, a `KV.Quorum`.
  """
  @spec start_link(keyword()) :: Supervisor.on_start()
  defdelegate start_link(opts), to: KV.Supervisor

  @doc """
  Writes through the replica of `node`.

  `:ok` is a promise: the write is not lost as long as most replicas live. After an error it may be there or not.
  """
  @spec put(node(), term(), term()) :: :ok | {:error, term()}
  def put(node, key, value) do
    GenServer.call({KV.Replica, node}, {:put, key, value}, @timeout)
  catch
    :exit, {reason, {GenServer, :call, _args}} -> {:error, reason}
  end

  @doc "All that the replica of `node` holds; it may be behind."
  @spec data(node()) :: map()
  def data(node), do: GenServer.call({KV.Replica, node}, :data)
end
