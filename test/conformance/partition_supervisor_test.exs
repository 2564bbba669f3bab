defmodule Conformance.PartitionSupervisorTest do
  # Elixir's PartitionSupervisor. How many partitions there are by default depends on the machine; here it is said.
  use Lockstep.Support.Conformance

  defp start(options) do
    PartitionSupervisor.start_link(Keyword.merge([name: Partitions, partitions: 3], options))
  end

  defp agents(options \\ []), do: start(Keyword.merge([child_spec: {Agent, fn -> [] end}], options))

  defp via(key), do: {:via, PartitionSupervisor, {Partitions, key}}

  test "a child for each partition, found by an integer key" do
    check(fn ->
      {:ok, _} = agents()
      for key <- 0..5, do: Agent.update(via(key), &[key | &1])

      {for(key <- 0..2, do: Agent.get(via(key), & &1)), PartitionSupervisor.partitions(Partitions),
       PartitionSupervisor.count_children(Partitions),
       for({id, pid, type, _} <- PartitionSupervisor.which_children(Partitions), do: {id, is_pid(pid), type})}
    end)
  end

  test "found by any other term" do
    check(fn ->
      {:ok, _} = agents()
      for key <- [:a, "b", {:c, 1}, %{}], do: Agent.update(via(key), &[key | &1])
      for key <- 0..2, do: Agent.get(via(key), & &1)
    end)
  end

  test "arguments for each partition" do
    check(fn ->
      {:ok, _} =
        start(
          child_spec: {Agent, fn -> :replaced end},
          with_arguments: fn [_fun], partition -> [fn -> {:partition, partition} end] end
        )

      for key <- 0..2, do: Agent.get(via(key), & &1)
    end)
  end

  test "a dynamic supervisor a partition" do
    check(fn ->
      {:ok, _} = start(child_spec: DynamicSupervisor)
      for key <- 0..3, do: {:ok, _} = DynamicSupervisor.start_child(via(key), {Agent, fn -> key end})
      for key <- 0..2, do: DynamicSupervisor.count_children(via(key)).active
    end)
  end

  test "a partition that crashes is started again" do
    check(fn ->
      {:ok, _} = agents()
      before = GenServer.whereis(via(1))
      Agent.update(via(1), fn _ -> [:lost] end)
      Agent.update(via(2), fn _ -> [:kept] end)
      Process.exit(before, :kill)
      wait_until(fn -> GenServer.whereis(via(1)) not in [before, nil] end)
      for key <- 1..2, do: Agent.get(via(key), & &1)
    end)
  end

  test "too many crashes" do
    check(fn ->
      Process.flag(:trap_exit, true)
      {:ok, sup} = agents(max_restarts: 0)
      Process.exit(GenServer.whereis(via(0)), :kill)
      {receive(do: ({:EXIT, ^sup, reason} -> reason)), caught(fn -> Agent.get(via(0), & &1) end)}
    end)
  end

  test "a partition that does not start, a name that is taken, and one that is not there" do
    check(fn ->
      Process.flag(:trap_exit, true)
      failed = start(child_spec: %{id: :x, start: {__MODULE__, :refuse, []}})
      exits = for {:EXIT, _, reason} <- flush(3), do: reason
      {:ok, sup} = agents()
      {:error, {:already_started, ^sup}} = agents()
      nobody = caught(fn -> Agent.get({:via, PartitionSupervisor, {NoPartitions, 1}}, & &1) end)
      {plain(failed), plain(exits), nobody, PartitionSupervisor.stop(Partitions), Process.whereis(Partitions)}
    end)
  end

  def refuse, do: {:error, :refused}

  test "bad options" do
    check(fn ->
      for options <- [[partitions: 0], [partitions: :all], [name: "text"], [with_arguments: 1]] do
        caught(fn -> agents(options) end)
      end
    end)
  end
end
