defmodule Conformance.AgentTest do
  # Elixir's Agent.
  use Lockstep.Support.Conformance

  def add(state, n), do: state + n
  def both(state, n), do: {state, state + n}

  defp agent(state \\ 0) do
    {:ok, agent} = Agent.start_link(fn -> state end)
    agent
  end

  test "get, update, get_and_update and cast, with functions and with modules" do
    check(fn ->
      agent = agent()
      updated = Agent.update(agent, &(&1 + 1))
      cast = Agent.cast(agent, &(&1 + 10))
      both = Agent.get_and_update(agent, &{&1, &1 + 100})

      {updated, cast, both, Agent.update(agent, __MODULE__, :add, [1000]),
       Agent.cast(agent, __MODULE__, :add, [10_000]), Agent.get_and_update(agent, __MODULE__, :both, [1]),
       Agent.get(agent, __MODULE__, :add, [0])}
    end)
  end

  test "start by module, function and arguments; with a name" do
    check(fn ->
      {:ok, pid} = Agent.start(__MODULE__, :add, [1, 2], name: :the_agent)
      {:error, {:already_started, ^pid}} = Agent.start_link(fn -> 1 end, name: :the_agent)
      {Agent.get(:the_agent, & &1), Agent.stop(:the_agent, :shutdown), Process.whereis(:the_agent)}
    end)
  end

  for {name, code} <- [raise: quote(do: raise("no")), exit: quote(do: exit(:no)), throw: quote(do: throw(:no))] do
    test "a start that comes to #{name}" do
      check(fn ->
        Process.flag(:trap_exit, true)
        linked = plain(Agent.start_link(fn -> unquote(code) end))
        {linked, for({:EXIT, _, reason} <- flush(2), do: plain(reason)), plain(Agent.start(fn -> unquote(code) end))}
      end)
    end

    test "an operation that comes to #{name}" do
      check(fn ->
        for operation <- [:get, :update, :get_and_update, :cast] do
          {:ok, agent} = Agent.start(fn -> 0 end)
          ref = Process.monitor(agent)
          result = caught(fn -> apply(Agent, operation, [agent, fn _ -> unquote(code) end]) end)
          {result, receive(do: ({:DOWN, ^ref, _, _, reason} -> plain(reason)))}
        end
      end)
    end
  end

  test "a bad return of get_and_update" do
    check(fn ->
      {:ok, agent} = Agent.start(fn -> 0 end)
      caught(fn -> Agent.get_and_update(agent, fn _ -> :bad end) end)
    end)
  end

  test "timeouts: of the start, of a call" do
    check(fn ->
      agent = agent()
      start = Agent.start(fn -> Process.sleep(:infinity) end, timeout: 3)
      slow = caught(fn -> Agent.update(agent, fn n -> tap(n + 1, fn _ -> Process.sleep(8) end) end, 3) end)
      {start, slow, Agent.get(agent, & &1), flush(2)}
    end)
  end

  test "the code runs in the agent" do
    check(fn ->
      agent = agent()
      {Agent.get(agent, fn _ -> self() end) == agent, Agent.get(agent, fn _ -> Process.get(:"$initial_call") end)}
    end)
  end

  test "of the dead and of nobody" do
    check(fn ->
      {:ok, agent} = Agent.start(fn -> 0 end)
      Agent.stop(agent)

      {caught(fn -> Agent.get(agent, & &1) end), caught(fn -> Agent.update(:nobody_here, & &1) end),
       Agent.cast(agent, & &1), caught(fn -> Agent.stop(agent) end)}
    end)
  end

  test "a lost update is among what can happen" do
    program = fn ->
      agent = agent()

      tasks =
        for _ <- 1..2 do
          Task.async(fn ->
            n = Agent.get(agent, & &1)
            Agent.update(agent, fn _ -> n + 1 end)
          end)
        end

      Task.await_many(tasks)
      Agent.get(agent, & &1)
    end

    assert Enum.sort(check_among(program)) == [1, 2]
  end
end
