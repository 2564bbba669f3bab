# What does a GenServer.call cost under control? Beside the same on the plain VM, where client and server share a
# scheduler, too, which is where the VM is fastest.
#
#     MIX_ENV=test mix run bench/call.exs
Code.require_file("support.exs", __DIR__)
Bench.Table.script(__ENV__.file)

defmodule Bench.Calls do
  import Bench.Both

  defboth Bench.Calls do
    use GenServer

    @impl true
    def init(state), do: {:ok, state}

    @impl true
    def handle_call(:next, _from, state), do: {:reply, state, state + 1}

    def calls(count) do
      fn ->
        # All processes of a run share a scheduler anyway.
        {:ok, server} = GenServer.start(__MODULE__, 0, spawn_opt: [{:scheduler, 1}])
        Lockstep.Bench.timed(fn -> call(server, count) end)
        GenServer.stop(server)
      end
    end

    defp call(_server, 0), do: :ok

    defp call(server, count) do
      GenServer.call(server, :next)
      call(server, count - 1)
    end

    def agents(count) do
      fn ->
        {:ok, agent} = Agent.start(fn -> 0 end, spawn_opt: [{:scheduler, 1}])
        Lockstep.Bench.timed(fn -> get(agent, count) end)
        Agent.stop(agent)
      end
    end

    defp get(_agent, 0), do: :ok

    defp get(agent, count) do
      Agent.get(agent, & &1)
      get(agent, count - 1)
    end

    def tasks(count), do: fn -> Lockstep.Bench.timed(fn -> task(count) end) end

    defp task(0), do: :ok

    defp task(count) do
      fn -> :done end |> Task.async() |> Task.await()
      task(count - 1)
    end
  end
end

calls = Bench.size(2_000, 5)

for {name, function, count} <- [
      {"GenServer.call", :calls, calls},
      {"Agent.get", :agents, calls},
      {"Task.async and await", :tasks, div(calls, 4) + 1}
    ] do
  Bench.Table.print(name, Bench.measure(Bench.Both.cases(Bench.Calls, name, function, count), 30))
end
