defmodule Gallery.StaleQuorum do
  use Gallery.Program,
    kind: :distribution,
    bug: "of three replicas two take a write and one is read: R + W is not greater than N"

  alias Lockstep.Cluster

  defmodule Replica do
    use Lockstep
    use GenServer

    def start_link, do: GenServer.start_link(__MODULE__, nil, name: __MODULE__)
    def init(_), do: {:ok, {0, nil}}

    def handle_info({:read, ref, client}, state) do
      send(client, {ref, state})
      {:noreply, state}
    end

    def handle_info({{:write, versioned}, ref, client}, state) do
      send(client, {ref, :ok})
      {:noreply, max(versioned, state)}
    end
  end

  @replicas [:a, :b, :c]

  def buggy, do: read_what_was_written(1)
  def fixed, do: read_what_was_written(2)

  defp read_what_was_written(read_quorum) do
    Cluster.start_nodes(@replicas, start: fn -> {:ok, _} = Replica.start_link() end)
    Cluster.start_nodes([:writer, :reader])
    Cluster.run(:writer, fn -> ask({:write, {1, :new}}, 2) end)
    assert Enum.max(Cluster.run(:reader, fn -> ask(:read, read_quorum) end)) == {1, :new}
  end

  # The first answers, as many as are asked for.
  defp ask(request, quorum) do
    ref = make_ref()
    for node <- @replicas, do: send({Replica, node}, {request, ref, self()})
    for _ <- 1..quorum, do: receive(do: ({^ref, answer} -> answer))
  end
end
