defmodule Oracle.Real do
  @moduledoc false
  # A world of real nodes: peers that are driven over their standard input and output, so that the controller is no
  # part of the cluster, and that reach each other through proxies of the controller. Loopback only, no daemon.

  alias Oracle.{Epmd, Links, Proxy}

  @nodes 1..5
  # ms
  @boot 30_000
  @call 60_000
  @settle 300
  @poll 20

  def new do
    links = Links.new()
    nodes = :ets.new(:nodes, [:public])
    caller = self()
    keeper = spawn(fn -> keep(links, caller) end)
    proxies = receive do: ({^keeper, proxies} -> proxies)
    %{links: links, nodes: nodes, keeper: keeper, proxies: proxies}
  end

  # Holds what ends with the world.
  defp keep(links, caller) do
    names = Enum.map(@nodes, &Oracle.World.name/1)

    proxies =
      for from <- names, to <- names, from != to, into: %{}, do: {{from, to}, Proxy.start_link(links, from, to)}

    send(caller, {self(), proxies})
    receive do: (:close -> exit(:shutdown))
  end

  def close(state) do
    for {node, _} <- :ets.tab2list(state.nodes), do: kill(state, node)
    send(state.keeper, :close)
    :ets.delete(state.nodes)
    :ets.delete(state.links)
  end

  ## Nodes

  def start(state, names, options) do
    names
    |> Enum.map(&Task.async(fn -> boot(state, &1, options) end))
    |> Task.await_many(@boot)
  end

  defp boot(state, node, options) do
    common = %{
      connection: :standard_io,
      peer_down: :continue,
      wait_boot: @boot,
      args: arguments(options),
      env: Epmd.environment(ways(state, node))
    }

    started = :peer.start(Map.merge(common, named(node)))
    peer = elem(started, 1)
    {process, port} = :peer.call(peer, __MODULE__, :report, [], @call)
    Links.put_port(state.links, node, port)
    :ets.insert(state.nodes, {node, %{peer: peer, process: process}})
  end

  # A VM that is no node has no name.
  defp named(:nonode@nohost), do: %{}

  defp named(node) do
    [name, host] = node |> Atom.to_string() |> String.split("@") |> Enum.map(&to_charlist/1)
    %{name: name, host: host, longnames: true}
  end

  @doc false
  def report do
    {:ok, _} = :application.ensure_all_started(:elixir)
    {:os.getpid(), Epmd.listens()}
  end

  defp ways(state, from) do
    for {{^from, to}, {_proxy, port}} <- state.proxies,
        do: {to |> Atom.to_string() |> String.split("@") |> hd(), port}
  end

  defp arguments(options) do
    paths = Enum.flat_map([__MODULE__, Kernel], &[~c"-pa", &1 |> :code.which() |> :filename.dirname()])

    paths ++
      [~c"-epmd_module", ~c"#{Epmd}", ~c"-setcookie", ~c"#{Keyword.get(options, :cookie, :oracle)}"] ++
      [~c"-kernel", ~c"logger_level", ~c"none"] ++ Enum.flat_map(options, &argument/1)
  end

  defp argument({:ticktime, seconds}), do: kernel("net_ticktime", seconds)
  defp argument({:intensity, intensity}), do: kernel("net_tickintensity", intensity)
  defp argument({:auto_connect, auto_connect}), do: kernel("dist_auto_connect", auto_connect)
  defp argument({:prevent_overlapping_partitions, flag}), do: kernel("prevent_overlapping_partitions", flag)
  defp argument({:connect_all, connect_all}), do: [~c"-connect_all", ~c"#{connect_all}"]
  defp argument({:hidden, true}), do: [~c"-hidden"]
  defp argument({_cookie, _}), do: []

  defp kernel(parameter, value), do: [~c"-kernel", ~c"#{parameter}", ~c"#{value}"]

  def call(state, node, fun), do: :peer.call(peer(state, node).peer, :erlang, :apply, [fun, []], @call)

  defp peer(state, node), do: :ets.lookup_element(state.nodes, node, 2)

  def kill(state, node) do
    signal(state, node, "KILL")
    gone(state, node)
  end

  def halt(state, node) do
    :peer.cast(peer(state, node).peer, :erlang, :halt, [0, [flush: false]])
    gone(state, node)
  end

  def stop(state, node) do
    :peer.cast(peer(state, node).peer, :init, :stop, [])
    gone(state, node)
  end

  defp gone(state, node) do
    %{peer: peer, process: process} = peer(state, node)
    await_end(process)
    catch_exit(fn -> :peer.stop(peer) end)
    :ets.delete(state.nodes, node)
    :ok
  end

  defp await_end(process) do
    if kill_command("0", process) == 0 do
      Process.sleep(@poll)
      await_end(process)
    end
  end

  defp catch_exit(fun) do
    fun.()
  catch
    :exit, _ -> :ok
  end

  def pause(state, node), do: signal(state, node, "STOP")
  def resume(state, node), do: signal(state, node, "CONT")

  defp signal(state, node, signal) do
    kill_command(signal, peer(state, node).process)
    :ok
  end

  defp kill_command(signal, process) do
    {_, status} = System.cmd("kill", ["-#{signal}", "#{process}"], stderr_to_stdout: true)
    status
  end

  ## Network

  def cut(state, from, to) do
    Links.stall(state.links, from, to, true)
    seen(state, from, to)
  end

  def heal(state, a, b) do
    for {from, to} <- [{a, b}, {b, a}], do: Links.stall(state.links, from, to, false)
    set_new(state, a, b, :up)
  end

  def refuse(state, a, b), do: set_new(state, a, b, :refuse)
  def black_hole(state, a, b), do: set_new(state, a, b, :hold)

  defp set_new(state, a, b, mode) do
    Links.set_new(state.links, a, b, mode)
    seen(state, a, b)
  end

  def reset(state, a, b) do
    Links.reset(state.links, a, b)
    :ok
  end

  def freeze(state, a, b) do
    Links.freeze(state.links, a, b)
    :ok
  end

  def delay(state, from, to, milliseconds) do
    Links.set_delay(state.links, from, to, milliseconds)
    :ok
  end

  defp seen(state, a, b) do
    for way <- [{a, b}, {b, a}], do: state.proxies |> Map.fetch!(way) |> elem(0) |> Proxy.seen()
    :ok
  end

  ## Time

  def sleep(_state, milliseconds), do: Process.sleep(milliseconds)
  def settle(_state), do: Process.sleep(@settle)
  def now(_state), do: System.monotonic_time(:millisecond)
  def poll, do: @poll
end
