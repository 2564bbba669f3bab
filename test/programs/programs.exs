defmodule Programs do
  @moduledoc false
  # Three programs whose traces are compared between operating system processes: plain messages and timers, OTP's and
  # Elixir's own processes, and a cluster with a partition.

  use Lockstep

  def all, do: [race: &__MODULE__.race/0, otp: &__MODULE__.otp/0, cluster: &__MODULE__.cluster/0]

  def race do
    main = self()

    for n <- 1..4 do
      spawn(fn ->
        Process.sleep(:rand.uniform(20))
        send(main, {n, make_ref(), System.monotonic_time(:millisecond), self()})
      end)
    end

    Process.send_after(self(), {:tick, %{a: 1, b: 2}}, 10)
    for _ <- 1..5, do: receive(do: (message -> message))
  end

  def otp do
    {:ok, _} = Registry.start_link(keys: :unique, name: Programs.Registry)
    {:ok, tasks} = Task.Supervisor.start_link()
    {:ok, agent} = Agent.start_link(fn -> [] end, name: {:via, Registry, {Programs.Registry, :agent}})

    1..4
    |> Enum.map(fn n ->
      Task.Supervisor.async_nolink(tasks, fn -> Agent.update(agent, &[{n, Enum.random(1..100)} | &1]) end)
    end)
    |> Enum.each(&Task.await/1)

    {Agent.get(agent, & &1), :erlang.unique_integer()}
  end

  def cluster do
    [a, b, c] = Lockstep.Cluster.start_nodes([:a, :b, :c])
    main = self()
    for node <- [a, b, c], do: Lockstep.Cluster.spawn(node, fn -> member(main) end)
    for _ <- 1..3, do: receive(do: (:ready -> :ok))
    for node <- [a, b, c], do: send({:member, node}, :gossip)
    Lockstep.Cluster.partition([a], [b, c])
    Process.sleep(50)
    Lockstep.Cluster.heal()
    for node <- [a, b, c], do: send({:member, node}, {:report, main})
    for _ <- 1..3, do: receive(do: ({:seen, _, _} = seen -> seen))
  end

  defp member(main) do
    Process.register(self(), :member)
    send(main, :ready)
    loop([])
  end

  defp loop(seen) do
    receive do
      :gossip ->
        for node <- Node.list(), do: send({:member, node}, {:from, node()})
        loop(seen)

      {:from, node} ->
        loop([node | seen])

      {:report, to} ->
        send(to, {:seen, node(), seen})
    end
  end
end
