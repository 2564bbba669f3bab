defmodule Superheroes.Poll do
  @moduledoc """
  Every two seconds asks a random city for its heroes, and tells all subscribers of `"heroes"`.
  """

  use GenServer

  alias Superheroes.{PubSub, Silence}

  @interval 2000

  @spec start_link(term()) :: GenServer.on_start()
  def start_link(_), do: GenServer.start_link(__MODULE__, [], name: __MODULE__)

  @impl true
  def init([]) do
    Process.send_after(self(), :poll, Enum.random(1..@interval))
    {:ok, []}
  end

  @impl true
  def handle_info(:poll, state) do
    Process.send_after(self(), :poll, @interval)

    for city <- Enum.take_random(Application.fetch_env!(:superheroes, :cities), 1) do
      Silence.handle(fn -> PubSub.broadcast("heroes", {:heroes, city, Superheroes.heroes(city)}) end)
    end

    {:noreply, state}
  end
end
