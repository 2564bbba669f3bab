defmodule Lockstep.Cluster.FaultsLeftTest do
  # What a run leaves behind can only be counted while no other test runs.
  use ExUnit.Case, async: false
  use Lockstep

  alias Lockstep.{Cluster, Runner}

  @faults [partition: true, crash: [max: 1], pause: true, disconnect: true, latency: 0..50, clock_skew: 500]

  defp stores do
    Cluster.start_nodes([:a, :b, :c],
      # Connections lost early can bring `global` into a livelock (docs/global-livelock.md).
      env: [kernel: [connect_all: false]],
      start: fn -> {:ok, _} = Agent.start_link(fn -> [] end, name: :store) end
    )

    Cluster.spawn(:a, fn -> for n <- 1..20, node <- [:b, :c], do: Process.sleep(1000) && ask(node, n) end)
    Process.sleep(60_000)
    Cluster.settle()
  end

  defp ask(node, n) do
    Agent.update({:store, node}, &[n | &1])
  catch
    :exit, _reason -> false
  end

  test "runs with faults leave nothing behind: no process, atom or table" do
    Runner.run(&stores/0, seeds: 1..20, faults: @faults)
    before = used()
    Runner.run(&stores/0, seeds: 1..300, faults: @faults)
    # What a run left would be there 300 times.
    for {before, later} <- Enum.zip(before, used()), do: assert(later - before < 250)
  end

  defp used, do: [length(Process.list()), :erlang.system_info(:atom_count), length(:ets.all())]
end
