defmodule UserCache.Sync.Members do
  @moduledoc """
  When a cache comes into the group, it is sent everything.

  There is no gap: who joins is in the group before this process hears of it. What is written here before that is
  among what is sent, and what is written after it is told to the new member as to the others.

  This is a process of its own because in OTP 25 a process that both watches a group and is a member of it takes the
  group's server down with it when it ends.
  """

  use GenServer

  alias UserCache.{Group, Server}

  @spec start_link(term()) :: GenServer.on_start()
  def start_link(_), do: GenServer.start_link(__MODULE__, [], name: __MODULE__)

  @impl true
  def init([]) do
    {reference, members} = Group.monitor()
    tell_all(members)
    {:ok, reference}
  end

  @impl true
  def handle_info({reference, :join, _group, members}, reference) do
    tell_all(members)
    {:noreply, reference}
  end

  def handle_info({reference, :leave, _group, _members}, reference), do: {:noreply, reference}

  defp tell_all(members), do: for(member <- members, node(member) != node(), do: Server.tell_all(member))
end
