defmodule Gallery.IdReuseAfterRestart do
  use Gallery.Program,
    kind: :lifecycle,
    bug: "a client counts its requests from 1 again when its node restarts, and takes the answer to an old one"

  alias Lockstep.Cluster

  defmodule Echo do
    use Lockstep
    use GenServer

    def start_link, do: GenServer.start_link(__MODULE__, nil, name: __MODULE__)
    def init(_), do: {:ok, nil}

    # Looking it up takes a while.
    def handle_info({:ask, client, id, question}, state) do
      Process.send_after(self(), {:answer, client, id, question}, 10)
      {:noreply, state}
    end

    def handle_info({:answer, client, id, question}, state) do
      send(client, {:answer, id, question})
      {:noreply, state}
    end
  end

  def buggy, do: ask_restart_ask(fn _incarnation -> 1 end)
  def fixed, do: ask_restart_ask(fn incarnation -> {incarnation, 1} end)

  defp ask_restart_ask(first_id) do
    Cluster.start_nodes([:server], start: fn -> {:ok, _} = Echo.start_link() end)
    Cluster.start_nodes([:client])
    Cluster.spawn(:client, fn -> ask(first_id.(1), :old_question) end)
    Process.sleep(Enum.random(0..20))
    Cluster.crash_node(:client)
    Cluster.start_node(:client)
    assert Cluster.run(:client, fn -> ask(first_id.(2), :new_question) end) in [:new_question, :timeout]
  end

  defp ask(id, question) do
    Process.register(self(), :client)
    send({Echo, :server}, {:ask, {:client, node()}, id, question})

    receive do
      {:answer, ^id, answer} -> answer
    after
      100 -> :timeout
    end
  end
end
