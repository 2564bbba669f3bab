defmodule Oracle.Proxy do
  @moduledoc false
  # The way from one real node to another: what `from` opens to `to` comes here, and is passed on as the state of the
  # network (`Oracle.Links`) allows.

  alias Oracle.Links

  @loopback {127, 0, 0, 1}
  # ms between two looks at the state of the network
  @look 10
  # ms
  @patience 5_000

  @doc "Starts the proxy, linked to the caller; its pid and its port."
  def start_link(links, from, to) do
    caller = self()
    proxy = spawn_link(fn -> listen(links, from, to, caller) end)
    receive do: ({^proxy, port} -> {proxy, port})
  end

  @doc "Waits until the proxy has seen what was changed."
  def seen(proxy) do
    send(proxy, {:seen?, self()})
    receive do: ({:seen, ^proxy} -> :ok), after: (@patience -> raise("a proxy does not answer"))
  end

  defp listen(links, from, to, caller) do
    socket = open(0)
    {:ok, port} = :inet.port(socket)
    send(caller, {self(), port})
    loop(%{links: links, from: from, to: to, port: port}, socket)
  end

  defp open(port) do
    options = [:binary, ip: @loopback, active: false, reuseaddr: true, nodelay: true, backlog: 64]
    {:ok, socket} = :gen_tcp.listen(port, options)
    socket
  end

  defp loop(state, socket) do
    asked_by = receive do: ({:seen?, caller} -> caller), after: (0 -> nil)
    socket = refuse_or_open(state, socket)
    if asked_by, do: send(asked_by, {:seen, self()})
    accept(state, socket)
    loop(state, socket)
  end

  # A port where nobody listens refuses by itself.
  defp refuse_or_open(state, socket) do
    case {Links.new(state.links, state.from, state.to), socket} do
      {:refuse, nil} ->
        nil

      {:refuse, socket} ->
        :gen_tcp.close(socket)
        nil

      {_mode, nil} ->
        open(state.port)

      {_mode, socket} ->
        socket
    end
  end

  defp accept(_state, nil), do: Process.sleep(@look)

  defp accept(state, listening) do
    with {:ok, near} <- :gen_tcp.accept(listening, @look) do
      connection = spawn_link(fn -> receive do: (:go -> connect(state, near)) end)
      :ok = :gen_tcp.controlling_process(near, connection)
      send(connection, :go)
    end
  end

  # Nothing reaches the other side before the way is free.
  defp connect(state, near, waiting \\ []) do
    case Links.new(state.links, state.from, state.to) do
      :up -> pass(state, near, waiting)
      :refuse -> :gen_tcp.close(near)
      :hold -> hold(state, near, waiting)
    end
  end

  defp hold(state, near, waiting) do
    case :gen_tcp.recv(near, 0, @look) do
      {:ok, data} -> connect(state, near, [waiting | data])
      {:error, :timeout} -> connect(state, near, waiting)
      {:error, _closed} -> :gen_tcp.close(near)
    end
  end

  defp pass(state, near, waiting) do
    options = [:binary, active: false, nodelay: true]
    port = Links.port(state.links, state.to)

    case port && :gen_tcp.connect(@loopback, port, options) do
      {:ok, far} -> pump_both(state, near, far, waiting)
      _nobody_listens -> :gen_tcp.close(near)
    end
  end

  defp pump_both(state, near, far, waiting) do
    number = Links.number(state.links)
    :ok = :gen_tcp.send(far, waiting)
    %{links: links, from: from, to: to} = state
    there = spawn_link(fn -> pump(links, {from, to, number}, near, far) end)
    back = spawn_link(fn -> pump(links, {to, from, number}, far, near) end)
    for monitor <- Enum.map([there, back], &Process.monitor/1), do: receive(do: ({:DOWN, ^monitor, _, _, _} -> :ok))
    for socket <- [near, far], do: :gen_tcp.close(socket)
  end

  defp pump(links, {from, to, number} = way, source, target) do
    await_free(links, way, source, target)

    case :gen_tcp.recv(source, 0, @look) do
      {:ok, data} ->
        Process.sleep(Links.delay(links, from, to))
        await_free(links, way, source, target)
        forward(links, {from, to, number}, source, target, data)

      {:error, :timeout} ->
        pump(links, way, source, target)

      {:error, _closed} ->
        Process.sleep(Links.delay(links, from, to))
        await_free(links, way, source, target)
        :gen_tcp.shutdown(target, :write)
    end
  end

  defp forward(links, way, source, target, data) do
    case :gen_tcp.send(target, data) do
      :ok -> pump(links, way, source, target)
      {:error, _closed} -> :gen_tcp.close(source)
    end
  end

  defp await_free(links, {from, to, number} = way, source, target) do
    if Links.reset?(links, from, to, number), do: reset(source, target)

    if Links.stalled?(links, from, to, number) do
      Process.sleep(@look)
      await_free(links, way, source, target)
    end
  end

  # With a reset, not with an orderly end.
  defp reset(source, target) do
    for socket <- [source, target] do
      :inet.setopts(socket, linger: {true, 0})
      :gen_tcp.close(socket)
    end

    exit(:normal)
  end
end
