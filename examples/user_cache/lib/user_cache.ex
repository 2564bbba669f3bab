defmodule UserCache do
  @moduledoc """
  A cache of users on every node: reads are from a table of the node itself, writes go to all.

  The caches of a cluster are a process group. A cache that is told of a user tells the other members of the group. What
  is sent to those that could not be reached then is the business of `UserCache.Sync`.
  """

  alias UserCache.Server

  @type id :: term()
  @type user :: term()

  @doc "Writes a user into this node's cache, which tells the others."
  @spec put(id(), user()) :: :ok
  def put(id, user), do: GenServer.call(Server, {:put, id, user})

  @doc "The user in this node's cache."
  @spec get(id()) :: user() | nil
  def get(id) do
    case :ets.lookup(Server, id) do
      [{^id, _stamp, user}] -> user
      [] -> nil
    end
  end

  @doc "All users in this node's cache."
  @spec all() :: %{id() => user()}
  def all, do: for({id, _stamp, user} <- :ets.tab2list(Server), into: %{}, do: {id, user})
end
