defmodule Lockstep.Runtime.Stranger do
  @moduledoc false
  # Pids that are none of the run's: those of the host's processes, which a run must not touch, and those that nobody has,
  # which a program may have put together from text or read from a binary. To the VM these are dead processes.

  # No process of a run can have this name, and what is sent there is lost as it is on its way to the dead.
  @name :"$lockstep_nobody"

  @doc "Whether nobody has `pid`, which is none of the run's."
  @spec nobody?(pid()) :: boolean()
  def nobody?(pid), do: node(pid) == node() and not :erlang.is_process_alive(pid)

  @doc "What to announce instead of a pid that nobody has: the name of nobody on that node."
  @spec nobody(node()) :: {atom(), node()}
  def nobody(node), do: {@name, node}
end
