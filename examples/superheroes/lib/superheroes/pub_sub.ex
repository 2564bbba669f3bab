defmodule Superheroes.PubSub do
  @moduledoc """
  Publish and subscribe in the whole cluster, made of process groups: a topic is a group.

  Who publishes reaches the subscribers on those nodes that its own node is connected to.
  """

  @doc false
  @spec child_spec(term()) :: Supervisor.child_spec()
  def child_spec(_), do: %{id: __MODULE__, start: {:pg, :start_link, [__MODULE__]}}

  @doc "The calling process gets what is published under the topic from now on."
  @spec subscribe(String.t()) :: :ok
  def subscribe(topic), do: :pg.join(__MODULE__, topic, self())

  @doc "Sends the message to all subscribers."
  @spec broadcast(String.t(), term()) :: :ok
  def broadcast(topic, message) do
    for subscriber <- :pg.get_members(__MODULE__, topic), do: send(subscriber, message)
    :ok
  end
end
