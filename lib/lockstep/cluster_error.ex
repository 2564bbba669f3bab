defmodule Lockstep.ClusterError do
  @moduledoc """
  Raised by `Lockstep.Cluster` when it is asked for something that cannot be done.

  The field `reason` says what is wrong, for programs:

    * `{:not_a_node, term}` - not an atom
    * `{:not_nodes, term}` - not a list of atoms
    * `{:unknown_node, node, known}` - no such node; `known` are those there are
    * `{:node_down, node}` - the node was stopped
    * `{:control_node, action}` - the control node cannot be stopped or partitioned
    * `{:not_a_function, term}` - not a function without arguments
    * `{:unknown_process, term}` - not a process of this run
    * `{:overlapping_groups, node}` - the node is in more than one group of a partition
    * `{:empty_group, groups}` - a group of a partition has no nodes
    * `{:unknown_mode, term}` - not a partition mode
    * `{:invalid_ticktime, term}` - not a number of milliseconds
    * `{:invalid_time, term}` - not a number of milliseconds
    * `{:invalid_latency, term}` - not a range of milliseconds
    * `{:other_name, node, name}` - the node cannot become alive under this name
    * `{:same_node, node}` - two different nodes are needed
    * `{:not_options, term}` - not a keyword list
    * `{:unknown_option, option, known}` - no such option; `known` are those there are
    * `{:bad_option, {option, term}}` - no value for this option
    * `{:application, node, application, reason}` - the application could not be started on the node
  """
  defexception [:reason]

  @milliseconds "virtual milliseconds, an integer from 0 to 4_294_967_295"
  @takes %{
    connect: "true or false",
    hidden: "true or false",
    cookie: "an atom",
    start: "a function without arguments, or the name of an application",
    env:
      "environments as [application: [key: value]]; of kernel, net_ticktime: seconds, net_tickintensity: 4 to 1000, " <>
        "dist_auto_connect: :never or :once, connect_all: and prevent_overlapping_partitions: true or false",
    around: "#{@milliseconds}, or a list of such",
    up_to: @milliseconds,
    quiet: @milliseconds,
    within: @milliseconds,
    down: @milliseconds,
    up: @milliseconds,
    times: "a count, an integer from 0 to 4_294_967_295",
    mode: ":drop, :defer or :tcp",
    offset: "virtual milliseconds, an integer up to 1_000_000_000_000; negative for behind",
    jump: "virtual milliseconds, an integer up to 1_000_000_000_000; negative for back",
    drift: "microseconds a second, an integer below 1_000_000; negative for too slow"
  }

  @type t :: %__MODULE__{reason: tuple()}

  @impl true
  def message(%{reason: reason}), do: text(reason)

  defp text({:not_a_node, term}), do: "expected a node name as an atom, got: #{inspect(term)}; write it as :name"

  defp text({:not_nodes, term}) do
    "expected a list of node names as atoms, got: #{inspect(term)}; write it as [:a, :b]"
  end

  defp text({:unknown_node, node, known}) do
    "unknown node #{inspect(node)}, the cluster has #{inspect(known)}; start it with " <>
      "Lockstep.Cluster.start_nodes([#{inspect(node)}])"
  end

  defp text({:node_down, node}) do
    "node #{inspect(node)} is down; start it again with Lockstep.Cluster.start_node(#{inspect(node)})"
  end

  defp text({:control_node, action}) do
    "the control node, on which the main process runs, cannot be #{action}; use the nodes given to start_nodes/1"
  end

  defp text({:unknown_process, term}) do
    "expected the pid of a process of this run, got: #{inspect(term)}; use the pid that spawn or self() returned in it"
  end

  defp text({:overlapping_groups, node}) do
    "node #{inspect(node)} is in more than one group of the partition; put each node in one group only"
  end

  defp text({:empty_group, groups}) do
    "a group of the partition is empty: #{inspect(groups)}; give at least two groups of at least one node each"
  end

  defp text({:unknown_mode, mode}), do: "unknown partition mode #{inspect(mode)}; use :drop, :defer or :tcp"

  defp text({:other_name, node, name}) do
    "node #{inspect(node)} can become alive under its own name only, not as #{inspect(name)}; start it with " <>
      "Lockstep.Cluster.start_nodes([#{inspect(name)}], distributed: false)"
  end

  defp text({:same_node, node}), do: "expected two different nodes, got #{inspect(node)} twice; name another one"

  defp text({:not_a_function, term}) do
    "expected a function without arguments, got: #{inspect(term)}; write it as fn -> ... end"
  end

  defp text({:not_options, term}) do
    "expected options as a keyword list, and at least one where all would be nothing, got: #{inspect(term)}; write " <>
      "them as [option: value]"
  end

  defp text({:unknown_option, option, known}) do
    "unknown option #{inspect(option)}; there are #{Enum.map_join(known, ", ", &inspect/1)}"
  end

  defp text({:bad_option, {option, value}}) do
    "bad value for option #{inspect(option)}: #{inspect(value)}; it takes #{@takes[option] || "another one"}"
  end

  defp text({:application, node, application, reason}) do
    "application #{inspect(application)} cannot be started on node #{inspect(node)}: #{inspect(reason)}; start it " <>
      "outside of a run to see whether it starts at all"
  end

  defp text({:invalid_time, time}) do
    "expected virtual milliseconds, got: #{inspect(time)}; write an integer from 0 to 4_294_967_295"
  end

  defp text({:invalid_latency, range}) do
    "expected the latency as a range of virtual milliseconds, or several with weights, got: #{inspect(range)}; write it as " <>
      "0..50 or [{9, 0..5}, {1, 500..1_000}]"
  end

  defp text({:invalid_ticktime, time}) do
    "expected the tick time in virtual milliseconds, got: #{inspect(time)}; write an integer from 0 to 4_294_967_295, " <>
      "such as 15_000, the default"
  end
end
