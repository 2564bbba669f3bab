defmodule Gallery.MonitorAfterSpawn do
  use Gallery.Program,
    kind: :lifecycle,
    bug: "a job on another node is monitored after it was spawned: one that has ended by then is taken for a failure"

  alias Lockstep.Cluster

  def buggy, do: run_job([])
  def fixed, do: run_job([:monitor])

  defp run_job(options) do
    Cluster.start_nodes([:worker], start: fn -> {:ok, _} = Agent.start_link(fn -> 0 end, name: :ledger) end)
    Cluster.start_nodes([:boss])
    Cluster.run(:boss, fn -> run_job(options, 2) end)
    assert Agent.get({:ledger, :worker}, & &1) == 1
  end

  defp run_job(options, attempts) do
    {pid, monitor} =
      case :erlang.spawn_opt(:worker, &pay/0, options) do
        {pid, monitor} -> {pid, monitor}
        pid -> {pid, Process.monitor(pid)}
      end

    receive do
      {:DOWN, ^monitor, :process, ^pid, :normal} -> :ok
      {:DOWN, ^monitor, :process, ^pid, _failure} -> if attempts > 1, do: run_job(options, attempts - 1)
    end
  end

  defp pay, do: Agent.update(:ledger, &(&1 + 1))
end
