defmodule Oracle.Simulated do
  @moduledoc false
  # A world of simulated nodes: inside a run, on the control node.

  alias Lockstep.Cluster

  @control :nonode@nohost
  # virtual ms
  @settle 2_000
  @poll 50

  def new, do: nil
  def close(nil), do: :ok

  ## Nodes

  def start(nil, names, options) do
    Cluster.start_nodes(
      names,
      [connect: false, env: [kernel: kernel(options)]] ++ Keyword.take(options, [:hidden, :cookie])
    )
  end

  defp kernel(options) do
    for {option, value} <- options, parameter = parameter(option), do: {parameter, value}
  end

  defp parameter(:ticktime), do: :net_ticktime
  defp parameter(:intensity), do: :net_tickintensity
  defp parameter(:auto_connect), do: :dist_auto_connect
  defp parameter(:connect_all), do: :connect_all
  defp parameter(:prevent_overlapping_partitions), do: :prevent_overlapping_partitions
  defp parameter(_other), do: nil

  def call(nil, @control, fun), do: fun.()
  def call(nil, node, fun), do: Cluster.run(node, fun)

  def kill(nil, node), do: Cluster.crash_node(node)

  def halt(nil, node), do: ending(node, fn -> :erlang.halt(0, flush: false) end)
  def stop(nil, node), do: ending(node, fn -> :init.stop() end)

  defp ending(node, fun) do
    Cluster.spawn(node, fun)
    await_end(node)
  end

  defp await_end(node) do
    if node in Cluster.list_up() do
      Process.sleep(@poll)
      await_end(node)
    end
  end

  def pause(nil, node), do: Cluster.pause_node(node)
  def resume(nil, node), do: Cluster.resume_node(node)

  ## Network

  def cut(nil, from, to), do: Cluster.partition_oneway(from, to, :tcp)

  # Nodes of which each takes another cookie for the right one refuse each other as fast as a closed port does.
  def refuse(nil, a, b), do: for({node, other} <- [{a, b}, {b, a}], do: set_cookie(node, other, :"cookie_of_#{node}"))

  def black_hole(nil, a, b), do: Cluster.partition([a], [b], :tcp)

  def heal(nil, a, b) do
    Cluster.heal(a, b)
    for {node, other} <- [{a, b}, {b, a}], do: set_cookie(node, other, nil)
  end

  defp set_cookie(node, other, cookie) do
    Cluster.run(node, fn -> :erlang.set_cookie(other, cookie || :erlang.get_cookie()) end)
  end

  def delay(nil, from, to, milliseconds), do: Cluster.set_latency(from, to, milliseconds..milliseconds)

  ## Time

  def sleep(nil, milliseconds), do: Process.sleep(milliseconds)
  def settle(nil), do: Process.sleep(@settle)
  def now(nil), do: System.monotonic_time(:millisecond)
  def poll, do: @poll
end
