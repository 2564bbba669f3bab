defmodule UserCache.Group do
  @moduledoc """
  The caches of the cluster, as a process group.
  """

  @group :caches

  @doc false
  @spec child_spec(term()) :: Supervisor.child_spec()
  def child_spec(_), do: %{id: __MODULE__, start: {:pg, :start_link, [__MODULE__]}}

  @doc "The calling process is a cache."
  @spec join() :: :ok
  def join, do: :pg.join(__MODULE__, @group, self())

  @doc "The caches of all other nodes, as far as they are known here."
  @spec others() :: [pid()]
  def others, do: :pg.get_members(__MODULE__, @group) -- :pg.get_local_members(__MODULE__, @group)

  @doc """
  The calling process is told who joins and leaves: `{reference, :join | :leave, group, pids}`. Returns the reference
  and who is there already.
  """
  @spec monitor() :: {reference(), [pid()]}
  def monitor, do: :pg.monitor(__MODULE__, @group)
end
