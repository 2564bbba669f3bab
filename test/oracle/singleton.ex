defmodule Oracle.Singleton do
  @moduledoc false
  # A process that is to run once in a cluster, under a supervisor on every node.
  use GenServer

  @doc "Starts the supervisor, not linked to the caller."
  def start do
    caller = self()

    spawn(fn ->
      Process.flag(:trap_exit, true)
      {:ok, supervisor} = Supervisor.start_link([__MODULE__], strategy: :one_for_one)
      send(caller, {:started, supervisor})
      Process.sleep(:infinity)
    end)

    receive do: ({:started, supervisor} -> supervisor)
  end

  def start_link(_), do: GenServer.start_link(__MODULE__, nil, name: {:global, :singleton})

  @impl true
  def init(nil), do: {:ok, nil}
end
