defmodule Multinode.Ledger do
  @moduledoc """
  Grants each round once: a round is granted when most of the cluster's members have promised it, and a member promises
  a round to the first that asks, and no earlier one after it.

  The members are configured (`:members`), not those that happen to be connected: any two majorities have a member in
  common. A member forgets its promises when it is restarted, so it makes none for the round that it starts in, nor for
  the one after, which somebody whose clock is ahead may have been given.
  """

  use GenServer

  alias Multinode.Job

  @patience 500

  @spec start_link(term()) :: GenServer.on_start()
  def start_link(_), do: GenServer.start_link(__MODULE__, [], name: __MODULE__)

  @doc "Whether most of the members can be reached from here."
  @spec majority?() :: boolean()
  def majority?, do: majority?(length(reachable()))

  @doc "Asks for a round. Whoever is told `true` is the only one."
  @spec grant?(Job.round()) :: boolean()
  def grant?(round) do
    {answers, _silent} = GenServer.multi_call(reachable(), __MODULE__, {:promise, round}, @patience)
    majority?(Enum.count(answers, fn {_node, promised?} -> promised? end))
  end

  defp majority?(count), do: 2 * count > length(members())

  defp reachable, do: Enum.filter(Multinode.nodes(), &(&1 in members()))
  defp members, do: Application.fetch_env!(:multinode, :members)

  @impl true
  def init([]), do: {:ok, Job.current() + 1}

  @impl true
  def handle_call({:promise, round}, _from, last), do: {:reply, round > last, max(round, last)}
end
