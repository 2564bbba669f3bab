defmodule Lockstep.Cluster.Arguments do
  @moduledoc false
  # Checks what `Lockstep.Cluster` is given, before anything happens.

  alias Lockstep.{ClusterError, Native, OutsideRunError}
  alias Lockstep.Runtime.{Context, Faults, Mailbox}

  @control :nonode@nohost
  @modes [:drop, :defer, :tcp]
  # Virtual ms between two looks at a node that is to come back.
  @every 100
  @most 4_294_967_295

  @doc "The run that the caller belongs to."
  @spec context!(String.t()) :: Context.t()
  def context!(function), do: Context.get() || raise(OutsideRunError, call: "Lockstep.Cluster.#{function}")

  @doc "A node of the cluster that is up. One that an injected fault has taken down is waited for."
  @spec up!(Context.t(), term()) :: :ok
  def up!(ctx, node) do
    cond do
      known?(ctx, node) -> :ok
      Faults.restarts?(ctx, node) -> wait_for(ctx, node)
      true -> error({:node_down, node})
    end
  end

  defp wait_for(ctx, node) do
    Mailbox.pause(@every)
    up!(ctx, node)
  end

  @doc "A node of the cluster that is not the control node; whether it is up."
  @spec ordinary!(Context.t(), term(), String.t()) :: boolean()
  def ordinary!(ctx, node, action) do
    up? = known?(ctx, node)
    if node == @control, do: error({:control_node, action})
    up?
  end

  @doc "Two different nodes of the cluster."
  @spec pair!(Context.t(), term(), term(), String.t()) :: :ok
  def pair!(ctx, a, b, action) do
    for node <- [a, b], do: ordinary!(ctx, node, action)
    if a == b, do: error({:same_node, a}), else: :ok
  end

  # No scheduling point: the operation that follows is one.
  @doc "A node of the cluster; whether it is up."
  @spec known?(Context.t(), term()) :: boolean()
  def known?(ctx, node) do
    unless name?(node), do: error({:not_a_node, node})
    nodes = Native.nodes(ctx.session)

    case List.keyfind(nodes, node, 0) do
      {_, up?} -> up?
      nil -> error({:unknown_node, node, for({known, _} <- nodes, do: known)})
    end
  end

  @doc "Names for nodes."
  @spec names!(term()) :: :ok
  def names!(names) do
    if proper_list?(names) and Enum.all?(names, &name?/1), do: :ok, else: error({:not_nodes, names})
  end

  defp name?(name), do: is_atom(name) and name not in [nil, true, false, :undefined]

  @doc "Whether it is a list with an end."
  @spec proper_list?(term()) :: boolean()
  def proper_list?(list), do: is_list(list) and not List.improper?(list)

  @doc "Groups of nodes, no node in two of them."
  @spec groups!(Context.t(), term()) :: :ok
  def groups!(ctx, groups) do
    unless proper_list?(groups), do: error({:not_nodes, groups})
    Enum.each(groups, &names!/1)
    if length(groups) < 2 or [] in groups, do: error({:empty_group, groups})
    nodes = Enum.concat(groups)
    for node <- nodes, do: ordinary!(ctx, node, "partitioned")

    case nodes -- Enum.uniq(nodes) do
      [] -> :ok
      [node | _] -> error({:overlapping_groups, node})
    end
  end

  @doc "A node or several, as a list."
  @spec several!(Context.t(), term(), String.t()) :: [node()]
  def several!(ctx, nodes, action) do
    nodes = if is_list(nodes), do: nodes, else: [nodes]
    names!(nodes)
    if nodes == [], do: error({:empty_group, [nodes]})
    for node <- nodes, do: ordinary!(ctx, node, action)
    nodes
  end

  @doc "A partition mode."
  @spec mode!(term()) :: :ok
  def mode!(mode), do: if(mode?(mode), do: :ok, else: error({:unknown_mode, mode}))

  @doc "Whether it is a partition mode."
  @spec mode?(term()) :: boolean()
  def mode?(mode), do: mode in @modes

  @doc "A number of virtual milliseconds."
  @spec time!(term(), atom()) :: :ok
  def time!(time, reason), do: if(time?(time), do: :ok, else: error({reason, time}))

  @doc "Whether it is a number of virtual milliseconds."
  @spec time?(term()) :: boolean()
  def time?(time), do: is_integer(time) and time in 0..@most

  @doc "A range of virtual milliseconds, or several with their weights; always the latter."
  @spec latency!(term()) :: [{pos_integer(), Range.t()}]
  def latency!(%Range{} = range), do: if(times?(range), do: [{1, range}], else: error({:invalid_latency, range}))

  def latency!([_ | _] = weighted) do
    unless proper_list?(weighted) and Enum.all?(weighted, &weighted?/1), do: error({:invalid_latency, weighted})
    weighted
  end

  def latency!(other), do: error({:invalid_latency, other})

  defp weighted?({weight, %Range{} = range}) when is_integer(weight) and weight in 1..1_000_000, do: times?(range)
  defp weighted?(_other), do: false

  defp times?(%Range{first: first, last: last, step: 1}), do: first >= 0 and last in first..@most//1
  defp times?(_range), do: false

  @doc "A function without arguments."
  @spec function!(term()) :: :ok
  def function!(fun), do: if(is_function(fun, 0), do: :ok, else: error({:not_a_function, fun}))

  @doc "The pid of a process of the run, dead or alive; its node."
  @spec process!(Context.t(), term()) :: node()
  def process!(ctx, pid), do: (is_pid(pid) && Native.node_of(ctx.session, pid)) || error({:unknown_process, pid})

  @doc """
  Options, as a map. `defaults` has all there are; a value fits if `fits?`, which is given it with its option, says so.
  """
  @spec options!(term(), keyword(), ({atom(), term()} -> boolean())) :: map()
  def options!(options, defaults, fits?) do
    unless Keyword.keyword?(options), do: error({:not_options, options})

    for {option, _} = pair <- options do
      unless Keyword.has_key?(defaults, option), do: error({:unknown_option, option, Keyword.keys(defaults)})
      unless fits?.(pair), do: error({:bad_option, pair})
    end

    defaults |> Keyword.merge(options) |> Map.new()
  end

  @doc "Raises a `Lockstep.ClusterError`."
  @spec error(tuple()) :: no_return()
  def error(reason), do: raise(ClusterError, reason: reason)
end
