defmodule Lockstep.Compat.LocalCluster do
  @moduledoc false
  # The functions of the package local_cluster, both of its first version and of its second. See `Lockstep.Compat`.

  alias Lockstep.Compat.LocalCluster.Server
  alias Lockstep.Compat.{Nodes, StandIn}
  alias Lockstep.Runtime.{Booting, Call, Context}

  @started {__MODULE__, :started}

  @doc "The caller's node can reach all nodes of a run as it is."
  @spec start() :: :ok
  def start, do: :ok

  @doc "Ends the nodes that `start_nodes/2` has started, as their manager would no longer be there."
  @spec stop() :: :ok
  def stop do
    ctx = Context.get()
    if ctx, do: ctx |> started() |> Enum.each(&Booting.halt(ctx, &1))
    :ok
  end

  # Version 1

  @doc "Starts nodes with names of a prefix and a number, with the applications that are loaded."
  @spec start_nodes(String.t() | atom(), non_neg_integer(), keyword()) :: [node()]
  def start_nodes(prefix, amount, options \\ []) do
    ctx = StandIn.check_inside!("LocalCluster.start_nodes/3")
    Nodes.check_options!([prefix: prefix], "LocalCluster.start_nodes/3")
    Nodes.check_amount!(amount, "LocalCluster.start_nodes/3")
    options = Nodes.check_options!(options, "LocalCluster.start_nodes/3")
    nodes = for index <- 1..amount//1, do: Nodes.name(prefix, index)
    Enum.each(nodes, &boot(ctx, &1))
    Enum.each(nodes, &Nodes.prepare(ctx, &1, options))
    nodes
  end

  defp boot(ctx, node) do
    unless Booting.start(ctx, node, []) do
      raise ArgumentError,
            "LocalCluster.start_nodes/3: #{inspect(node)} is up already; choose another prefix, or stop it"
    end

    :ets.insert(ctx.store, {@started, [node | started(ctx)]})
    Booting.tie(ctx, node, ctx.pid)
    Booting.depend(ctx, node, ctx.node, :connected)
  end

  defp started(ctx) do
    case :ets.lookup(ctx.store, @started) do
      [{_, nodes}] -> nodes
      [] -> []
    end
  end

  @doc "Ends nodes."
  @spec stop_nodes([node()]) :: :ok
  def stop_nodes(nodes) do
    ctx = StandIn.check_inside!("LocalCluster.stop_nodes/1")

    unless is_list(nodes) and Enum.all?(nodes, &is_atom/1) do
      raise ArgumentError, "LocalCluster.stop_nodes/1 needs a list of nodes, got #{inspect(nodes)}"
    end

    Enum.each(nodes, &Booting.halt(ctx, &1))
  end

  # Version 2

  @doc "How a supervisor starts a cluster."
  @spec child_spec({non_neg_integer(), keyword()}) :: Supervisor.child_spec()
  def child_spec({amount, options}), do: %{id: LocalCluster, start: {LocalCluster, :start_link, [amount, options]}}

  @doc "Starts a process with so many nodes."
  @spec start_link(non_neg_integer(), keyword()) :: {:ok, pid()} | {:error, term()}
  def start_link(amount, options \\ []) do
    StandIn.check_inside!("LocalCluster.start_link/2")
    Nodes.check_amount!(amount, "LocalCluster.start_link/2")
    options = Nodes.check_options!(options, "LocalCluster.start_link/2")
    Call.apply(GenServer, :start_link, [Server, {amount, options}, Keyword.take(options, [:name])])
  end

  @doc "The members of a cluster: `{:member, pid, node}`."
  @spec members(GenServer.server()) :: {:ok, [{:member, pid(), node()}]}
  def members(cluster), do: ask("members/1", cluster, :members)

  @doc "The nodes of a cluster."
  @spec nodes(GenServer.server()) :: {:ok, [node()]}
  def nodes(cluster),
    do: with({:ok, members} <- ask("nodes/1", cluster, :members), do: {:ok, Enum.map(members, &elem(&1, 2))})

  @doc "The processes that control the nodes of a cluster."
  @spec pids(GenServer.server()) :: {:ok, [pid()]}
  def pids(cluster),
    do: with({:ok, members} <- ask("pids/1", cluster, :members), do: {:ok, Enum.map(members, &elem(&1, 1))})

  @doc "Starts more nodes; returns them as members."
  @spec start(GenServer.server(), non_neg_integer(), keyword()) :: {:ok, [{:member, pid(), node()}]}
  def start(cluster, amount, options \\ []) do
    Nodes.check_amount!(amount, "LocalCluster.start/3")
    ask("start/3", cluster, {:start, amount, Nodes.check_options!(options, "LocalCluster.start/3")})
  end

  @doc "Ends a cluster and its nodes."
  @spec stop(GenServer.server()) :: :ok
  def stop(cluster) do
    StandIn.check_inside!("LocalCluster.stop/1")
    Call.apply(GenServer, :stop, [cluster])
  end

  @doc "Ends one node of a cluster: a member, a node or the process that controls it."
  @spec stop(GenServer.server(), {:member, pid(), node()} | pid() | node()) :: :ok
  def stop(cluster, {:member, pid, _node}), do: stop(cluster, pid)
  def stop(cluster, member), do: ask("stop/2", cluster, {:stop, member})

  defp ask(function, cluster, request) do
    StandIn.check_inside!("LocalCluster.#{function}")
    Call.apply(GenServer, :call, [cluster, request, :infinity])
  end
end
