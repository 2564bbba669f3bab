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

  defp text({:unknown_mode, mode}), do: "unknown partition mode #{inspect(mode)}; use :drop or :defer"

  defp text({:invalid_ticktime, time}) do
    "expected the tick time as a non-negative integer of milliseconds, got: #{inspect(time)}; the default is 15_000"
  end
end
