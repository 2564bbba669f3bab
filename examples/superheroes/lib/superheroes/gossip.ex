defmodule Superheroes.Gossip do
  @moduledoc """
  Once a second has one random city told what another one knows.

  The first time is somewhere within the first second, so that not all nodes do it at once. What happens if the city
  does not answer is configured (`:silence`): `:crash`, which leaves it to the supervisor, or `:skip`.
  """

  use GenServer

  alias Superheroes.Silence

  @interval 1000

  @spec start_link(term()) :: GenServer.on_start()
  def start_link(_), do: GenServer.start_link(__MODULE__, [], name: __MODULE__)

  @impl true
  def init([]) do
    Process.send_after(self(), :gossip, Enum.random(1..@interval))
    {:ok, []}
  end

  @impl true
  def handle_info(:gossip, state) do
    Process.send_after(self(), :gossip, @interval)

    with [source, city] <- Enum.take_random(Application.fetch_env!(:superheroes, :cities), 2) do
      Silence.handle(fn -> Superheroes.tell(source, city) end)
    end

    {:noreply, state}
  end
end
