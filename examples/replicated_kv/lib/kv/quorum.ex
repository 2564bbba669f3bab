defmodule KV.Quorum do
  @moduledoc """
  How many replicas have to agree, to elect a leader and to acknowledge a write.
  """

  @doc """
  The size of a quorum, given the nodes of the store and those of them that this node has heard from of late, itself
  included.
  """
  @callback size(members :: [node()], reachable :: [node()]) :: pos_integer()
end
