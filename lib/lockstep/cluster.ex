defmodule Lockstep.Cluster do
  @moduledoc """
  A simulated cluster: nodes that start, stop, crash and are cut off from one another, inside one run.

  The function under test runs as the main process on `:nonode@nohost`, the control node: it reaches every node,
  is never partitioned, and the other nodes do not list it. Code on a node needs nothing of this module: `Node`,
  `:net_kernel`, `:global`, `:pg`, `:rpc`, `:erpc`, `send({name, node}, message)`, `GenServer.call({name, node}, request)`
  and monitors and links between nodes see the simulated cluster, and meet there what real nodes meet.

      Lockstep.Runner.run(fn ->
        [a, b, c] = Lockstep.Cluster.start_nodes([:a, :b, :c])
        test = self()

        for node <- [a, b, c] do
          Lockstep.Cluster.spawn(node, fn ->
            Process.register(self(), :echo)
            send(test, {:ready, node()})

            receive do
              {:ping, from} -> send(from, {:pong, node()})
            end
          end)
        end

        for node <- [a, b, c], do: receive(do: ({:ready, ^node} -> :ok))

        Lockstep.Cluster.partition([a], [b, c])
        Lockstep.Cluster.run(a, fn -> send({:echo, b}, {:ping, test}) end)
        Lockstep.Cluster.run(b, fn -> send({:echo, c}, {:ping, test}) end)
        receive do: ({:pong, ^c} -> :ok)
        refute_received {:pong, ^b}

        Lockstep.Cluster.heal()
        Lockstep.Cluster.run(a, fn -> send({:echo, b}, {:ping, test}) end)
        receive do: ({:pong, ^b} -> :ok)
      end)

  ## Connections

  Nodes that are started here are connected to one another, unless `connect: false` says otherwise. Connections behave
  as those of real nodes (Distributed Erlang, OTP): what is sent to a node that is not connected begins to connect to it,
  waits for that, and is lost if it fails. A connection that is lost is lost for each side at its own time, with all that
  was under way; links and monitors through it fire with `:noconnection`; it does not come back until somebody connects.

  Messages between two processes keep their order, and no others do. How long each is under way is up to the schedule
  (`set_latency/1`).

  ## Partitions

  A partition cuts groups of nodes off from one another. What becomes of a message from one group to another is up to
  the mode:

    * `:drop` (the default) - it is lost, silently
    * `:defer` - it is kept, and delivered when the partition heals
    * `:tcp` - what happens on a real network that goes silent: it waits. If the partition heals before a side has noticed
      it, everything arrives, in order, and nobody is the wiser. A side that has heard nothing for `net_ticktime` (60 s,
      give or take a quarter) gives the connection up, and what was under way is lost. Healing connects nobody: the next
      message does

  A `:drop` or `:defer` partition that lasts longer than the tick time (`set_ticktime/1`, by default 15 s) is noticed by
  both sides: monitors across it fire with the reason `:noconnection`. When it heals, the nodes are connected again.

  ## What real nodes do besides

  `:global` keeps the nodes of a cluster connected to one another, and takes nodes out of it that others have lost
  (`prevent_overlapping_partitions`, on by default since OTP 25). It runs on simulated nodes, too: from the first use of
  a global name, or the first connection that is made or lost in a way that is not particular to this module; that start
  takes some hundred virtual milliseconds. Its settings are those of the kernel application:
  `start_nodes([:a], env: [kernel: [prevent_overlapping_partitions: false]])`.

  ## Errors

  Bad input raises `Lockstep.ClusterError`; a call outside a run raises `Lockstep.OutsideRunError`.
  """

  import Kernel, except: [spawn: 2, spawn_link: 2]
  import Lockstep.Cluster.Arguments

  alias Lockstep.Cluster.{Clocks, Durations, Run, Settle, Start, StartOptions}
  alias Lockstep.Native
  alias Lockstep.Runtime.{Faults, Mailbox, Mesh, Nodes, Onlooker, Spawning, Turn}

  require Turn

  @control :nonode@nohost
  @flap [times: 3, down: 1000, up: 1000, mode: :tcp]

  @typedoc "What becomes of messages across a partition."
  @type mode :: :drop | :defer | :tcp

  @typedoc "How long messages are under way: a range of virtual milliseconds, or several with their weights."
  @type latency :: Range.t() | [{pos_integer(), Range.t()}]

  @typedoc "One node, or several."
  @type some :: node() | [node(), ...]

  @typedoc """
  How a node is started:

    * `connect:` - whether it is connected to the others from the start (default true)
    * `distributed:` - whether it is alive from the start (default true). Where it is not, it is `:nonode@nohost` to itself and
      nobody can connect to it, until `Node.start/2` is called there with the name it has here
    * `hidden:` - whether it is a hidden node (default false)
    * `cookie:` - its cookie; nodes with different cookies cannot connect
    * `env:` - application environments that differ from the VM's, `[my_app: [key: value], kernel: [net_ticktime: 10]]`; of
      the kernel application, `net_ticktime` (seconds), `net_tickintensity`, `dist_auto_connect`, `connect_all` and
      `prevent_overlapping_partitions` count
    * `start:` - a function that is run on it, or an application that is started there with all that it needs. What the
      function starts may be linked to its process, which stays. If it fails, so does the call that starts the node; the
      node is up then
  """
  @type start_options :: [
          connect: boolean(),
          distributed: boolean(),
          hidden: boolean(),
          cookie: atom(),
          env: keyword(keyword()),
          start: (... -> term()) | atom()
        ]

  @doc """
  Adds nodes to the cluster and returns their names.

  Nodes that are there already stay as they are; those that were stopped are started again. They are started one after
  the other, with all that `start:` says.

      [a, b] = Lockstep.Cluster.start_nodes([:a, :b])
      [c, d] = Lockstep.Cluster.start_nodes([:c, :d], connect: false, start: :my_app)
  """
  @spec start_nodes([node()], start_options()) :: [node()]
  def start_nodes(names, options \\ []) do
    ctx = context!("start_nodes/2")
    names!(names)
    if @control in names, do: error({:control_node, "started"})
    options = StartOptions.check!(options)
    Enum.each(names, &Start.start(ctx, &1, options))
    Faults.begin(ctx)
    names
  end

  @doc """
  All nodes, those that were stopped and the control node `:nonode@nohost` included.
  """
  @spec list() :: [node()]
  def list, do: for({node, _up?} <- nodes(context!("list/0")), do: node)

  @doc """
  The nodes that are up, without the control node.
  """
  @spec list_up() :: [node()]
  def list_up, do: for({node, true} <- nodes(context!("list_up/0")), node != @control, do: node)

  @doc """
  The node of the calling process.
  """
  @spec node_of() :: node()
  def node_of, do: context!("node_of/0").node

  @doc """
  The node of a process, dead or alive.
  """
  @spec node_of(pid()) :: node()
  def node_of(pid), do: process!(context!("node_of/1"), pid)

  @doc """
  Starts a process on a node, whatever the network does, and returns its pid.

  If the node goes down at that moment, the pid is that of a process that has ended.

      Lockstep.Cluster.spawn(:a, fn -> send({:server, :b}, :hello) end)
  """
  @spec spawn(node(), (... -> term())) :: pid()
  def spawn(node, fun), do: start_process(context!("spawn/2"), node, fun, link?: false)

  @doc """
  As `spawn/2`, and links the process to the caller.
  """
  @spec spawn_link(node(), (... -> term())) :: pid()
  def spawn_link(node, fun), do: start_process(context!("spawn_link/2"), node, fun, link?: true)

  defp start_process(ctx, node, fun, options) do
    function!(fun)
    up!(ctx, node)
    Spawning.spawn_on(node, fun, options)
  end

  @doc """
  Runs the function in a process on a node, waits for it and returns its result, whatever the network does.

  If the function raises, exits or throws, so does this call. If its process is killed or its node stops, the call
  exits with the reason. On a node that is paused it waits until that goes on.

      :b = Lockstep.Cluster.run(:b, fn -> Node.self() end)
  """
  @spec run(node(), (... -> result)) :: result when result: term()
  def run(node, fun) do
    ctx = context!("run/2")
    function!(fun)
    up!(ctx, node)
    if Onlooker.looking?(), do: Onlooker.from(node, fun), else: Run.run(ctx, node, fun)
  end

  @doc """
  Stops a node.

  All its processes are killed at once; none runs `terminate`. Monitors of them fire with the reason `:nodedown`, and
  who watches the node (`monitor_node/1`, `Node.monitor/2`) gets `{:nodedown, node}`. For what a real node does that ends
  see `crash_node/1`. Does nothing if the node is down.
  """
  @spec stop_node(node()) :: :ok
  def stop_node(node) do
    ctx = context!("stop_node/1")
    ordinary!(ctx, node, "stopped")
    command(ctx, Native.stop_node(ctx.session, ctx.id, node), fn -> "stop node #{inspect(node)}" end, node)
    Faults.leave(ctx, node)
  end

  @doc """
  Kills a node, as a crash of its VM does.

  All its processes are killed at once. Of what they sent last a part arrives, in order. The other nodes learn of the end
  when they are told, each at its own time: links and monitors fire with `:noconnection`. A node that is cut off at the
  moment learns of it by its silence. Does nothing if the node is down.

      Lockstep.Cluster.crash_node(:a)
      Lockstep.Cluster.start_node(:a)
  """
  @spec crash_node(node()) :: :ok
  def crash_node(node) do
    ctx = context!("crash_node/1")
    ordinary!(ctx, node, "crashed")
    command(ctx, Native.crash_node(ctx.session, ctx.id, node, false), fn -> "crash node #{inspect(node)}" end, node)
    Faults.leave(ctx, node)
  end

  @doc """
  Starts a node that was stopped: no processes, no names, no tables. Processes it had before stay dead.

  It is not started as it was before, but as the options say (`t:start_options/0`; a function or an application alone
  stands for `start:`). Does nothing if the node is up.

      Lockstep.Cluster.start_node(:a)
      Lockstep.Cluster.start_node(:a, :my_app)
      Lockstep.Cluster.start_node(:a, fn -> {:ok, _} = MyApp.Server.start_link([]) end)
  """
  @spec start_node(node(), start_options() | atom() | (... -> term())) :: :ok
  def start_node(node, start \\ []) do
    ctx = context!("start_node/2")
    options = StartOptions.read!(start)
    ordinary!(ctx, node, "started")
    Start.start(ctx, node, options)
  end

  @doc """
  Stops everything on a node, as a machine that hangs: no process of it runs, and it is silent to the others, who give it
  up after `net_ticktime`.

  What is sent to it waits. When it goes on (`resume_node/1`) it handles that first, even what was sent over a connection
  that the sender gave up long ago. If a process pauses its own node, it is the last that it does until then.
  """
  @spec pause_node(node()) :: :ok
  def pause_node(node), do: set_pause(context!("pause_node/1"), node, true)

  @doc """
  Lets a node go on that was paused.
  """
  @spec resume_node(node()) :: :ok
  def resume_node(node), do: set_pause(context!("resume_node/1"), node, false)

  defp set_pause(ctx, node, pause?) do
    ordinary!(ctx, node, if(pause?, do: "paused", else: "resumed"))
    up!(ctx, node)
    Mesh.ensure(ctx)
    describe = fn -> "#{if pause?, do: "pause", else: "resume"} node #{inspect(node)}" end
    command(ctx, Native.pause_node(ctx.session, ctx.id, node, pause?), describe, {node, pause?})
  end

  @doc """
  Stops one process for a time, in virtual milliseconds; the caller goes on, unless it stops itself.

  Messages for it wait. Of several pauses at a time the last counts that ends. Does nothing if the process is dead.

      Lockstep.Cluster.pause(server, 3_000)
  """
  @spec pause(pid(), non_neg_integer()) :: :ok
  def pause(pid, milliseconds) do
    ctx = context!("pause/2")
    time!(milliseconds, :invalid_time)
    process!(ctx, pid)
    next = Native.pause(ctx.session, ctx.id, pid, milliseconds * 1000)
    command(ctx, next, fn -> "pause #{inspect(pid)} for #{milliseconds} ms" end, {pid, milliseconds})
  end

  @doc """
  Watches a node: when it is stopped or crashes, the caller gets `{:nodedown, node}`, once for each call of this function.
  """
  @spec monitor_node(node()) :: :ok
  def monitor_node(node) do
    ctx = context!("monitor_node/1")
    known?(ctx, node)
    describe = fn -> "watch node #{inspect(node)}" end
    command(ctx, Native.monitor_node(ctx.session, ctx.id, node, false, true), describe, node)
  end

  @doc """
  Cuts groups of nodes off from one another; messages between them are lost.

      Lockstep.Cluster.partition([[:a], [:b], [:c]])
  """
  @spec partition([[node()]]) :: :ok
  def partition(groups), do: cut(context!("partition/1"), groups, :drop)

  @doc """
  Cuts two groups of nodes off from each other; messages between them are lost. Or as `partition/1`, with a mode.

      Lockstep.Cluster.partition([:a], [:b, :c])
      Lockstep.Cluster.partition([[:a], [:b], [:c]], :defer)
  """
  @spec partition([node()], [node()]) :: :ok
  @spec partition([[node()]], mode()) :: :ok
  def partition(groups, mode) when is_atom(mode), do: cut(context!("partition/2"), groups, mode)
  def partition(group, other), do: cut(context!("partition/2"), [group, other], :drop)

  @doc """
  Cuts two groups of nodes off from each other, with a mode.

      Lockstep.Cluster.partition([:a], [:b, :c], :tcp)
  """
  @spec partition([node()], [node()], mode()) :: :ok
  def partition(group, other, mode), do: cut(context!("partition/3"), [group, other], mode)

  defp cut(ctx, groups, mode) do
    mode!(mode)
    groups!(ctx, groups)
    if mode == :tcp, do: Mesh.ensure(ctx)
    describe = fn -> "partition #{Enum.map_join(groups, " | ", &inspect/1)} (#{mode})" end
    command(ctx, Native.partition(ctx.session, ctx.id, groups, mode), describe, {groups, mode})
  end

  @doc """
  Cuts the way from some nodes to others, and not the way back.

  With `:tcp` (the default) the deaf side gives up the other after `net_ticktime`, and tells it.

      Lockstep.Cluster.partition_oneway(:a, :b)
      Lockstep.Cluster.partition_oneway([:a, :b], [:c], :drop)
  """
  @spec partition_oneway(some(), some(), mode()) :: :ok
  def partition_oneway(from, to, mode \\ :tcp) do
    ctx = context!("partition_oneway/3")
    mode!(mode)
    {from, to} = ways!(ctx, from, to, "partitioned")
    if mode == :tcp, do: Mesh.ensure(ctx)
    describe = fn -> "cut #{inspect(from)} -> #{inspect(to)} (#{mode})" end
    command(ctx, Native.cut_one_way(ctx.session, ctx.id, from, to, mode), describe, {from, to, mode})
  end

  defp ways!(ctx, from, to, action) do
    ways = {several!(ctx, from, action), several!(ctx, to, action)}
    both = Enum.filter(elem(ways, 0), &(&1 in elem(ways, 1)))
    if both == [], do: ways, else: error({:overlapping_groups, hd(both)})
  end

  @doc """
  Heals every partition, in one direction or both. Deferred messages are delivered, in the order they were sent, before
  it returns. What `hold/2` holds back stays held.
  """
  @spec heal() :: :ok
  def heal, do: heal_in(context!("heal/0"), :all, fn -> "heal" end)

  @doc """
  Heals the partitions around one node.
  """
  @spec heal(node()) :: :ok
  def heal(node) do
    ctx = context!("heal/1")
    ordinary!(ctx, node, "healed")
    heal_in(ctx, {:node, node}, fn -> "heal #{inspect(node)}" end)
  end

  @doc """
  Heals what lies between two nodes.
  """
  @spec heal(node(), node()) :: :ok
  def heal(a, b) do
    ctx = context!("heal/2")
    pair!(ctx, a, b, "healed")
    heal_in(ctx, {:between, a, b}, fn -> "heal #{inspect(a)} - #{inspect(b)}" end)
  end

  defp heal_in(ctx, scope, describe), do: command(ctx, Native.heal(ctx.session, ctx.id, scope), describe, scope)

  @doc """
  Holds back all that is sent from some nodes to others, until it is released. No side notices anything.

      Lockstep.Cluster.hold(:a, :b)
  """
  @spec hold(some(), some()) :: :ok
  def hold(from, to) do
    ctx = context!("hold/2")
    {from, to} = ways!(ctx, from, to, "held back")
    describe = fn -> "hold #{inspect(from)} -> #{inspect(to)}" end
    command(ctx, Native.cut_one_way(ctx.session, ctx.id, from, to, :hold), describe, {from, to})
  end

  @doc """
  Releases what `hold/2` holds back; it arrives in order, when the schedule says so.
  """
  @spec release(some(), some()) :: :ok
  def release(from, to) do
    ctx = context!("release/2")
    {from, to} = ways!(ctx, from, to, "released")
    describe = fn -> "release #{inspect(from)} -> #{inspect(to)}" end
    command(ctx, Native.release(ctx.session, ctx.id, from, to), describe, {from, to})
  end

  @doc """
  Closes the connection between two nodes, as `Node.disconnect/1` on the first does: that side knows at once, the other
  learns of it. Returns whether there was one.
  """
  @spec disconnect(node(), node()) :: boolean()
  def disconnect(a, b) do
    ctx = context!("disconnect/2")
    pair!(ctx, a, b, "disconnected")
    Mesh.ensure(ctx)
    disconnected? = Turn.take(Native.disconnect(ctx.session, ctx.id, a, b))
    Turn.note(ctx, fn -> {"disconnect #{inspect(a)} from #{inspect(b)}: #{disconnected?}", {a, b}} end)
    disconnected?
  end

  @doc """
  Connects two nodes at once, without any message and whatever their cookies are. Returns whether they are connected
  then: not if they are cut off from each other, or one of them is down.
  """
  @spec connect(node(), node()) :: boolean()
  def connect(a, b) do
    ctx = context!("connect/2")
    pair!(ctx, a, b, "connected")
    Mesh.ensure(ctx)
    connected? = Turn.take(Native.join(ctx.session, ctx.id, a, b))
    Turn.note(ctx, fn -> {"connect #{inspect(a)} and #{inspect(b)}: #{connected?}", {a, b}} end)
    connected?
  end

  @doc """
  Cuts two nodes off from each other and heals that, several times.

    * `times:` - how often (default 3)
    * `down:` and `up:` - how long, in virtual milliseconds (default 1,000 each)
    * `mode:` - as in `partition/3` (default `:tcp`)

  Returns when it is over.

      Lockstep.Cluster.flap(:a, :b, times: 5, down: 200)
  """
  @spec flap(node(), node(), keyword()) :: :ok
  def flap(a, b, options \\ []) do
    ctx = context!("flap/3")
    pair!(ctx, a, b, "partitioned")
    %{times: times, down: down, up: up, mode: mode} = options!(options, @flap, &flap_option?/1)

    for _ <- 1..times//1 do
      cut(ctx, [[a], [b]], mode)
      Mailbox.pause(down)
      heal_in(ctx, {:between, a, b}, fn -> "heal #{inspect(a)} - #{inspect(b)}" end)
      Mailbox.pause(up)
    end

    :ok
  end

  defp flap_option?({:mode, mode}), do: mode?(mode)
  defp flap_option?({_option, count}), do: time?(count)

  @doc """
  Sets how long messages between nodes are under way: a range of virtual milliseconds, or several with their weights.

  How long each takes is up to the schedule; it counts for what is sent from then on. The default is `0..10`.

      Lockstep.Cluster.set_latency(50..200)
      Lockstep.Cluster.set_latency([{9, 0..5}, {1, 500..1_000}])
  """
  @spec set_latency(latency()) :: :ok
  def set_latency(latency), do: slow_down(context!("set_latency/1"), nil, latency, "")

  @doc """
  Sets how long messages to and from a node are under way. See `set_latency/1`.

      Lockstep.Cluster.set_latency(:a, 50..200)
  """
  @spec set_latency(node(), latency()) :: :ok
  def set_latency(node, latency) do
    ctx = context!("set_latency/2")
    ordinary!(ctx, node, "slowed down")
    latency!(latency)
    others = for {other, _up?} <- Native.nodes(ctx.session), other not in [node, @control], do: other
    for other <- others, do: slow_down(ctx, {node, other}, latency, " #{inspect(node)} - #{inspect(other)}")
    :ok
  end

  @doc """
  Sets how long messages between two nodes are under way, in both directions. It wins over `set_latency/1`, which see.

      Lockstep.Cluster.set_latency(:a, :b, 50..200)
  """
  @spec set_latency(node(), node(), latency()) :: :ok
  def set_latency(a, b, latency) do
    ctx = context!("set_latency/3")
    pair!(ctx, a, b, "slowed down")
    slow_down(ctx, {a, b}, latency, " #{inspect(a)} - #{inspect(b)}")
  end

  defp slow_down(ctx, between, latency, where) do
    ranges = for {weight, range} <- latency!(latency), do: {weight, range.first * 1000, range.last * 1000}
    next = Native.set_latency(ctx.session, ctx.id, between, ranges)
    command(ctx, next, fn -> "set latency#{where} #{inspect(latency)} ms" end, {between, latency})
  end

  @doc """
  Sets how long a partition lasts, in virtual milliseconds, before it is noticed.

  The default is 15,000 for the modes `:drop` and `:defer`, and 60,000 for `:tcp`.
  """
  @spec set_ticktime(non_neg_integer()) :: :ok
  def set_ticktime(milliseconds) do
    ctx = context!("set_ticktime/1")
    time!(milliseconds, :invalid_ticktime)
    next = Native.set_tick_time(ctx.session, ctx.id, milliseconds * 1000)
    command(ctx, next, fn -> "set tick time #{milliseconds} ms" end, milliseconds)
  end

  @doc """
  Sets the clock of a node: its system time. Monotonic time and timers go on as they did.

    * `offset:` - how far it is ahead of the true time, in virtual milliseconds; negative for behind
    * `jump:` - how far it jumps from where it is
    * `drift:` - how much too fast it is, in microseconds a second (ppm); negative for too slow

  Who monitors the time offset on that node (`:erlang.monitor(:time_offset, :clock_service)`) is told of it.

      Lockstep.Cluster.set_clock(:a, offset: -500)
      Lockstep.Cluster.set_clock(:b, drift: 200)
  """
  @spec set_clock(node(), keyword(integer())) :: :ok
  def set_clock(node, options) do
    ctx = context!("set_clock/2")
    ordinary!(ctx, node, "given another clock")
    Clocks.set(ctx, node, options)
  end

  @doc """
  Ends all faults and waits until the cluster has come to rest, so that convergence can be asserted.

  Partitions heal, held messages are released, paused nodes go on, nodes that were stopped or have crashed are started
  again as they were started last, and every two nodes are connected whose cookies allow it. Latencies and clocks stay as
  they are. Then virtual time passes, until no message between nodes has been found under way for `quiet:` (default 1,000
  virtual ms; it looks every 50). For a cluster that never comes to rest, because it gossips for example, `quiet:` should
  be as long as it needs to converge; after `within:` (default 120,000) the function returns in any case.

      Lockstep.Cluster.settle()
      assert Lockstep.Cluster.run(:a, &MyApp.state/0) == Lockstep.Cluster.run(:b, &MyApp.state/0)
  """
  @spec settle(keyword()) :: :ok
  def settle(options \\ []), do: Settle.settle(context!("settle/1"), options)

  @doc """
  A time in virtual milliseconds, drawn from the seed: one that lies around a time that matters.

    * `around:` - a time or several (default: the timeout of a call, 5,000, and when a silent connection is given up,
      45,000 to 75,000)
    * `up_to:` - at most so long

  Just below such a time, exactly at it and just above it is where timeouts race with what they wait for.

      Lockstep.Cluster.partition([:a], [:b], :tcp)
      Process.sleep(Lockstep.Cluster.duration())
      Lockstep.Cluster.heal()

      Lockstep.Cluster.pause(server, Lockstep.Cluster.duration(around: 3_000, up_to: 10_000))
  """
  @spec duration(keyword()) :: non_neg_integer()
  def duration(options \\ []), do: Durations.draw(context!("duration/1"), options)

  ## Helpers

  # `describe` is asked in a recorded run only.
  defp command(ctx, next, describe, term) do
    Turn.take(next)
    Turn.note(ctx, fn -> {describe.(), term} end)
    :ok
  end

  defp nodes(ctx) do
    Nodes.touch(ctx)
    nodes = Native.nodes(ctx.session)
    Turn.note(ctx, fn -> {"list the cluster", nodes} end)
    nodes
  end
end
