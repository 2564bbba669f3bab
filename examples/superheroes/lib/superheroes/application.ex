defmodule Superheroes.Application do
  @moduledoc """
  One node: perhaps a city (`:city`), and what every node has.

  It joins the cluster first, through the nodes that are configured (`:nodes`).
  """

  use Application
  require Logger

  alias Superheroes.{City, Gossip, Poll, PubSub}

  @impl true
  def start(_type, _args) do
    for node <- Application.fetch_env!(:superheroes, :nodes), node != node(), do: connect(node)
    children = [PubSub] ++ cities() ++ [Gossip, Poll]

    Supervisor.start_link(children,
      strategy: :one_for_one,
      max_restarts: 3,
      max_seconds: 1,
      name: Superheroes.Supervisor
    )
  end

  defp cities, do: for(city <- List.wrap(Application.fetch_env!(:superheroes, :city)), do: {City, city})

  defp connect(node) do
    case Node.connect(node) do
      true -> Logger.info("#{node()} is connected to #{node}")
      false -> Logger.warning("#{node()} cannot reach #{node}, which may come later")
      :ignored -> Logger.warning("this node has no name, so it cannot be connected to #{node}")
    end
  end
end
