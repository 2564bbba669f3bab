defmodule Lockstep.ClusterError do
  @moduledoc """
  Raised by `Lockstep.Cluster` when it is asked for something that cannot be done.

  The field `reason` says what is wrong, for programs:

    * `{:not_a_node, term}` - not an atom
    * `{:not_nodes, term}` - not a list of atoms
    * `{:unknown_node, node, known}` - no such node; `known` are those there are
    * `{:node_down, node}` - the node was stopped
    * `{:control_node, action}` - the control node cannot be stopped or partitioned
    * `{:unknown_process, term}` - not a process of this run
    * `{:overlapping_groups, node}` - the node is in more than one group of a partition
    * `{:empty_group, groups}` - a group of a partition has no nodes
    * `{:unknown_mode, term}` - not a partition mode
    * `{:invalid_ticktime, term}` - not a number of milliseconds
    * `{:invalid_time, term}` - not a number of milliseconds, or a number of times
    * `{:invalid_latency, term}` - not a range of milliseconds
    * `{:same_node, node}` - two different nodes are needed
    * `{:not_options, term}` - not a keyword list
    * `{:unknown_option, option, known}` - no such option; `known` are those there are
    * `{:bad_option, {option, term}}` - no value for this option
    * `{:application, node, application, reason}` - the application could not be started on the node
  """
  defexception [:reason]

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

  defp text({:same_node, node}), do: "expected two different nodes, got #{inspect(node)} twice"

  defp text({:not_options, term}) do
    "expected options as a non-empty keyword list, got: #{inspect(term)}; write them as [option: value]"
  end

  defp text({:unknown_option, option, known}) do
    "unknown option #{inspect(option)}; there are #{Enum.map_join(known, ", ", &inspect/1)}"
  end

  defp text({:bad_option, {option, value}}), do: "bad value for option #{inspect(option)}: #{inspect(value)}"

  defp text({:application, node, application, reason}) do
    "application #{inspect(application)} cannot be started on node #{inspect(node)}: #{inspect(reason)}"
  end

  defp text({:invalid_time, time}) do
    "expected a non-negative integer (milliseconds, or a number of times), got: #{inspect(time)}"
  end

  defp text({:invalid_latency, range}) do
    "expected the latency as a range of milliseconds, or several with weights, got: #{inspect(range)}; write it as " <>
      "0..50 or [{9, 0..5}, {1, 500..1_000}]"
  end

  defp text({:invalid_ticktime, time}) do
    "expected the tick time as a non-negative integer of milliseconds, got: #{inspect(time)}; the default is 15_000"
  end
end
