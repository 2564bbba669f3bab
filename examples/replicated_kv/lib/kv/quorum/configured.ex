defmodule KV.Quorum.Configured do
  @moduledoc """
  A majority of all replicas, whether they can be reached or not: any two quorums have a replica in common.
  """

  @behaviour KV.Quorum

  @impl true
  def size(members, _reachable), do: div(length(members), 2) + 1
end
