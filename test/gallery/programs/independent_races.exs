defmodule Gallery.IndependentRaces do
  use Gallery.Program,
    kind: :search,
    bug: "a service counts as down when each of its four nodes was asked before it was ready (independent races)"

  @nodes 1..4

  def buggy, do: probe(fn _pid -> :starting end)
  def fixed, do: probe(&wait/1)

  # A node is ready at once. Each probe has some work to do before it looks, and looks once.
  defp probe(starting) do
    ready = :ets.new(:ready, [:public])
    nodes = for node <- @nodes, do: {node, spawn_link(fn -> start(ready, node) end)}
    answers = together(for {node, pid} <- nodes, do: fn -> ask(ready, node, fn -> starting.(pid) end) end)
    assert :ready in answers
  end

  defp start(ready, node) do
    :ets.insert(ready, {node})
    receive do: ({:ready?, probe} -> send(probe, :ready))
  end

  defp ask(ready, node, starting) do
    {:ok, log} = Agent.start_link(fn -> [] end)
    for step <- 1..2, do: Agent.update(log, &[step | &1])
    if :ets.member(ready, node), do: :ready, else: starting.()
  end

  defp wait(pid) do
    send(pid, {:ready?, self()})
    receive do: (:ready -> :ready)
  end
end
