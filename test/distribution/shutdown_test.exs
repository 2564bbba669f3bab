defmodule Distribution.ShutdownTest do
  # R-ORD9: what becomes of the last messages of a VM that ends.
  use ExUnit.Case, async: true
  use Lockstep

  alias Lockstep.{Cluster, Runner}

  @sent 20

  defp received(stop) do
    test = self()

    for seed <- 1..100, uniq: true do
      Runner.run(fn -> stop |> last_messages() |> then(&Lockstep.host(fn -> send(test, &1) end)) end, seeds: [seed])
      receive(do: (messages -> messages))
    end
  end

  defp last_messages(stop) do
    [a, b] = Cluster.start_nodes([:a, :b])
    test = self()

    Cluster.spawn(a, fn ->
      Process.register(self(), :receiver)
      :ok = :net_kernel.monitor_nodes(true, [:nodedown_reason])
      send(test, :ready)
      send(test, {:received, until_nodedown()})
    end)

    receive(do: (:ready -> :ok))
    Cluster.spawn(b, fn -> for(n <- 1..@sent, do: send({:receiver, a}, n)) && stop.() end)
    assert_receive {:received, messages}, 100_000
    refute b in Cluster.list_up()
    messages
  end

  defp until_nodedown do
    receive do
      {:nodedown, :b, [nodedown_reason: :connection_closed]} -> []
      number -> [number | until_nodedown()]
    end
  end

  test "R-ORD9 of what a halted node has sent a prefix arrives" do
    all = received(fn -> System.halt(1) end)
    for messages <- all, do: assert(messages == Enum.take(1..@sent, length(messages)))
    assert length(all) > 5
  end

  test "R-ORD9 what a node has sent that stops in good order arrives" do
    assert received(fn -> System.stop(0) end) == [Enum.to_list(1..@sent)]
  end

  # Later Elixirs have the VM wait for ever in the end, which must not be that of the tests.
  test "System.stop/1 leaves nothing to do at the end of the host's VM" do
    before = :elixir_config.get(:at_exit)
    received(fn -> System.stop("as text") end)
    assert :elixir_config.get(:at_exit) == before
  end
end
