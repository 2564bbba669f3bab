defmodule Oracle.World do
  @moduledoc false
  # What scenarios are written against: nodes and the network between them, real (`Oracle.Real`) or simulated
  # (`Oracle.Simulated`). Times are milliseconds, of the wall or of the virtual clock.

  alias Oracle.Recorder

  defstruct [:backend, :state]

  # ms
  @patience 20_000

  def new(backend), do: %__MODULE__{backend: backend, state: backend.new()}
  def close(world), do: world.backend.close(world.state)

  @doc "The name of the node with this number; the order of names is that of numbers."
  def name(number), do: :"n#{number}@127.0.0.1"

  ## Nodes

  @doc """
  Starts so many nodes, or the nodes with these names, that are not connected to one another.

  Options: `ticktime:` (seconds), `intensity:`, `connect_all:`, `prevent_overlapping_partitions:`, `auto_connect:`,
  `hidden:`, `cookie:`.
  """
  def start(world, names, options \\ [])

  def start(world, count, options) when is_integer(count) do
    start(world, Enum.map(1..count, &name/1), options)
  end

  def start(world, names, options) do
    world.backend.start(world.state, names, options)
    names
  end

  @doc "As `start/3`, and connects each to each, if `:global` has not."
  def cluster(world, count, options \\ []) do
    names = start(world, count, options)
    if Keyword.get(options, :connect_all, true), do: connect(world, names), else: link(world, names)
    names
  end

  # `:global.sync/0` returns while the last locks are still being released, for which nodes would connect again.
  @doc "Connects each node to each, and waits until `:global` is at rest."
  def connect(world, names) do
    link(world, names)
    for name <- names, do: call(world, name, fn -> :global.sync() end)
    settle(world)
  end

  # Without `connect_all` `:global.sync/0` does not return.
  defp link(world, names) do
    for a <- names, b <- names, a < b, do: call(world, a, fn -> :net_kernel.connect_node(b) end)
    await(world, fn -> Enum.all?(names, &(length(nodes(world, &1)) >= length(names) - 1)) end)
  end

  @doc "One node leaves another, and the other has seen it."
  def disconnect(world, a, b) do
    call(world, a, fn -> Node.disconnect(b) end)
    await(world, fn -> a not in nodes(world, b) and b not in nodes(world, a) end)
  end

  @doc "As `disconnect/3`, for connections that `nodes/2` does not show."
  def disconnect_hidden(world, a, b) do
    call(world, a, fn -> Node.disconnect(b) end)
    await(world, fn -> a not in call(world, b, fn -> Node.list(:connected) end) end)
  end

  @doc "Evaluates a function in a new process of a node; its outcome is the caller's."
  def call(world, node, fun) do
    case outcome(world, node, fun) do
      {:ok, value} -> value
      {kind, reason} -> :erlang.raise(kind, reason, [])
    end
  end

  @doc "As `call/3`; the outcome is returned: `{:ok, value}` or the kind and the reason."
  def outcome(world, node, fun), do: world.backend.call(world.state, node, fn -> Oracle.Outcome.of(fun) end)

  @doc "Evaluates a function in a new process of a node; it goes on when this has returned."
  def spawn(world, node, fun), do: call(world, node, fn -> Kernel.spawn(fun) end)

  def nodes(world, node), do: call(world, node, fn -> Enum.sort(Node.list()) end)

  @doc "The ends of a node: `kill -9`, `halt` without flushing, `init:stop/0`."
  def kill(world, node), do: world.backend.kill(world.state, node)
  def halt(world, node), do: world.backend.halt(world.state, node)
  def stop(world, node), do: world.backend.stop(world.state, node)

  @doc "All processes of a node stand still, and go on."
  def pause(world, node), do: world.backend.pause(world.state, node)
  def resume(world, node), do: world.backend.resume(world.state, node)

  ## Network

  @doc "Silence in both directions, or in one; connections stay."
  def cut(world, a, b) do
    cut_oneway(world, a, b)
    cut_oneway(world, b, a)
  end

  def cut_oneway(world, from, to), do: world.backend.cut(world.state, from, to)

  @doc "Ends silence, refusal and black holes between two nodes."
  def heal(world, a, b), do: world.backend.heal(world.state, a, b)

  @doc "New connections of two nodes are refused; or nothing comes back."
  def refuse(world, a, b), do: world.backend.refuse(world.state, a, b)
  def black_hole(world, a, b), do: world.backend.black_hole(world.state, a, b)

  @doc "The connection of two nodes is reset by the network."
  def reset(world, a, b), do: world.backend.reset(world.state, a, b)

  @doc "The connection of two nodes is silent from now on, for ever; new ones are not. Real nodes only, as `reset/3`."
  def freeze(world, a, b), do: world.backend.freeze(world.state, a, b)

  @doc "What a node sends to another takes so long."
  def delay(world, from, to, milliseconds), do: world.backend.delay(world.state, from, to, milliseconds)

  def delay_both(world, a, b, milliseconds) do
    delay(world, a, b, milliseconds)
    delay(world, b, a, milliseconds)
  end

  ## Recorders

  @doc "Starts a process on a node that keeps what it gets; it traps exits unless `trap: false`."
  def recorder(world, node, options \\ []) do
    trap? = Keyword.get(options, :trap, true)
    call(world, node, fn -> Recorder.start(trap?) end)
  end

  @doc "As `recorder/3`, registered."
  def recorder(world, node, name, options) do
    recorder = recorder(world, node, options)
    call(world, node, fn -> Process.register(recorder, name) end)
    recorder
  end

  @doc "Lets the recorder evaluate a function; its value."
  def tell(world, recorder, fun) do
    case attempt(world, recorder, fun) do
      {:ok, value} -> value
      other -> raise "the recorder could not: #{inspect(other)}"
    end
  end

  @doc "Lets the recorder evaluate a function; its outcome."
  def attempt(world, recorder, fun), do: call(world, node(recorder), fn -> Recorder.tell(recorder, fun) end)

  @doc "Lets the recorder evaluate a function, without waiting for it."
  def let(world, recorder, fun), do: call(world, node(recorder), fn -> Recorder.let(recorder, fun) end)

  @doc "What a recorder has got, oldest first."
  def log(world, recorder), do: call(world, node(recorder), fn -> Recorder.log(recorder) end)

  @doc "As `log/2`, once so many messages have come, and any more had time to."
  def log(world, recorder, count) do
    await(world, fn -> length(log(world, recorder)) >= count end)
    settle(world)
    log(world, recorder)
  end

  ## Time

  def sleep(world, milliseconds), do: world.backend.sleep(world.state, milliseconds)

  @doc "Long enough for whatever is under way, short enough for no timeout."
  def settle(world), do: world.backend.settle(world.state)

  @doc "Milliseconds since some moment."
  def now(world), do: world.backend.now(world.state)

  @doc "Waits until the function says so; whether it has."
  def await(world, condition, patience \\ @patience), do: await_until(world, condition, now(world) + patience)

  defp await_until(world, condition, deadline) do
    cond do
      condition.() ->
        true

      now(world) > deadline ->
        false

      true ->
        world.backend.sleep(world.state, world.backend.poll())
        await_until(world, condition, deadline)
    end
  end

  @doc "The value and the milliseconds it took."
  def timed(world, fun) do
    start = now(world)
    value = fun.()
    {value, now(world) - start}
  end
end
