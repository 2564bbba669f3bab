defmodule Superheroes.City do
  @moduledoc """
  A city: a process with a roster of all heroes, whose name is known in the whole cluster.
  """

  use GenServer

  @spec start_link(Superheroes.city()) :: GenServer.on_start()
  def start_link(city), do: GenServer.start_link(__MODULE__, city, name: {:global, city})

  @impl true
  def init(city) do
    module = Application.fetch_env!(:superheroes, :roster)
    {:ok, %{city: city, module: module, roster: module.new()}}
  end

  @impl true
  def handle_call({:enlist, id, name}, _from, state),
    do: {:reply, :ok, change(state, :enlist, [id, name, state.city])}

  def handle_call(:heroes, _from, state), do: {:reply, state.module.heroes(state.roster), state}
  def handle_call(:roster, _from, state), do: {:reply, state.roster, state}

  @impl true
  def handle_cast({:assign, id, city}, state), do: {:noreply, change(state, :assign, [id, city])}
  def handle_cast({:hurt, id, damage}, state), do: {:noreply, change(state, :hurt, [id, damage])}
  def handle_cast({:retire, id}, state), do: {:noreply, change(state, :retire, [id])}
  def handle_cast({:merge, roster}, state), do: {:noreply, change(state, :merge, [roster])}
  def handle_cast(:bomb, state), do: {:stop, :bombed, state}

  defp change(state, function, arguments) do
    %{state | roster: apply(state.module, function, [state.roster | arguments])}
  end
end
