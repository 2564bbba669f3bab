defmodule Lockstep.Runtime.NetKernel do
  @moduledoc false
  # The process `net_kernel` of a node, as far as others speak to it: `net_adm:ping/1` asks it whether it is there.
  # Connections are the core's, so it has nothing else to do.

  alias Lockstep.Runtime.{Call, Mailbox}

  @doc "What it does until the run ends."
  @spec loop() :: no_return()
  def loop do
    from = Mailbox.await(&request/1, :infinity)
    Call.apply(:gen, :reply, [from, :yes])
    loop()
  end

  # What is no request is dropped, as the VM's own does.
  defp request({:"$gen_call", from, {:is_auth, _node}}), do: {:ok, from}
  defp request(_other), do: :skip
end
