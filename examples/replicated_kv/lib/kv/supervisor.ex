defmodule KV.Supervisor do
  @moduledoc """
  Keeps the replica of a node.

  A replica has its vote and its data in memory only. One that crashed must not come back under the same name, because
  it could vote twice, so there are no restarts: the crash ends this supervisor, and with it the store of this node.
  """

  use Supervisor

  @spec start_link(keyword()) :: Supervisor.on_start()
  def start_link(opts), do: Supervisor.start_link(__MODULE__, opts, name: __MODULE__)

  @impl true
  def init(opts), do: Supervisor.init([{KV.Replica, opts}], strategy: :one_for_one, max_restarts: 0)
end
