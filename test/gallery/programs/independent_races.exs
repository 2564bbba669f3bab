defmodule Gallery.IndependentRaces do
  use Gallery.Program,
    kind: :search,
    bug: "a service counts as down when each of its four nodes was asked before it was ready (independent races)"

  @nodes 1..4

  def buggy, do: probe(fn -> :starting end)
  def fixed, do: probe(fn -> receive do: (:ready -> :ready) end)

  # A node is ready at once. Each probe has some work to do before it looks, and looks once.
  defp probe(starting) do
    ready = :ets.new(:ready, [:public])
    probes = for node <- @nodes, do: Task.async(fn -> ask(ready, node, starting) end)
    nodes = for {probe, node} <- Enum.zip(probes, @nodes), do: fn -> start(ready, node, probe.pid) end
    together(nodes)
    assert :ready in Task.await_many(probes, :infinity)
  end

  defp start(ready, node, probe) do
    :ets.insert(ready, {node})
    send(probe, :ready)
  end

  defp ask(ready, node, starting) do
    {:ok, log} = Agent.start_link(fn -> [] end)
    for step <- 1..3, do: Agent.update(log, &[{node, step} | &1])
    if :ets.member(ready, node), do: :ready, else: starting.()
  end
end
