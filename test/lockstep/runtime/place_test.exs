defmodule Lockstep.Runtime.PlaceTest do
  use Lockstep.Case, async: true

  alias Lockstep.Runner
  alias Lockstep.Runtime.DeepStack

  doctest Lockstep.Runtime.Place

  @file_name "test/lockstep/runtime/place_test.exs"

  defp events(fun, options \\ []) do
    {:failed, failure} = Runner.explore(fun, [seeds: [1], strategy: :fifo] ++ options)
    {:ok, trace} = Lockstep.Trace.decode(failure.result.trace)
    {failure.result.events, trace.events}
  end

  defp place(events, text), do: Enum.find(events, &(&1.text =~ text)).place

  test "an event has the place in the program that asked for it" do
    {words, events} =
      events(fn ->
        send(self(), :one)
        receive(do: (:one -> :ok))
        raise "enough"
      end)

    line = __ENV__.line - 5
    assert place(words, "send :one") == {@file_name, line}
    assert place(words, "receive :one") == {@file_name, line + 1}
    assert place(events, "send :one") == %{file: @file_name, line: line}
  end

  test "through OTP's and Elixir's code, however deep" do
    {words, _} =
      events(fn ->
        {:ok, supervisor} = Task.Supervisor.start_link()
        {:ok, agent} = Agent.start_link(fn -> 0 end)
        Agent.update(agent, &(&1 + 1))
        Enum.each([1], fn _ -> Enum.each([2], fn _ -> Enum.each([3], fn _ -> [Agent.get(agent, & &1)] end) end) end)
        [Task.Supervisor.async(supervisor, fn -> 1 end)]
        raise "enough"
      end)

    line = __ENV__.line - 8
    calls = for %{text: "send {:\"$gen_call\"" <> _ = text, place: place} <- words, do: {text, place}
    assert [{_, {_, update}}, {_, {_, get}} | _] = Enum.filter(calls, fn {text, _} -> text =~ ~r/:update|:get,/ end)
    assert {update, get} == {line + 2, line + 3}
    # A server that waits for messages has nothing of the program on its stack.
    assert nil in for(%{kind: :receive, process: process, place: place} <- words, process > 0, do: place)
  end

  @tag lockstep: [seeds: [1]]
  test "the depth of the stack that a program sees stays as it is" do
    deep = fn deep, n -> if n == 0, do: raise("deep"), else: [deep.(deep, n - 1)] end

    depth = fn ->
      try do
        deep.(deep, 50)
      rescue
        RuntimeError -> length(__STACKTRACE__)
      end
    end

    before = depth.()
    {:ok, agent} = Agent.start_link(fn -> 0 end)
    [Enum.map([1], fn _ -> Enum.map([1], fn _ -> Enum.map([1], fn _ -> Agent.get(agent, & &1) end) end) end)]
    assert depth.() == before
    assert before <= DeepStack.usual()
  end

  test "a place is never absolute, and the same in every recorded run" do
    fun = fn ->
      {:ok, _} = Registry.start_link(keys: :unique, name: __MODULE__.Registry)
      {:ok, _} = Registry.register(__MODULE__.Registry, :a, 1)
      raise "enough"
    end

    {_, first} = events(fun)
    {_, second} = events(fun)
    assert first == second
    places = for %{place: %{file: file}} <- first, do: file
    assert places != []
    assert Enum.all?(places, &(&1 == @file_name))
  end

  test "a process that is gone has no stack, and its going does no harm" do
    pid = spawn(fn -> :ok end)
    ref = Process.monitor(pid)
    assert_receive {:DOWN, ^ref, :process, ^pid, _}
    assert DeepStack.of(pid) == []
    assert [_ | _] = DeepStack.of(self())
  end
end
