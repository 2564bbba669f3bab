defmodule KV.Quorum.Reachable do
  @moduledoc """
  A majority of the replicas that can be reached, so that the store stays writable while some are down.
  """

  @behaviour KV.Quorum

  @impl true
  def size(_members, reachable), do: div(length(reachable), 2) + 1
end
