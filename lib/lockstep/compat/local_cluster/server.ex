defmodule Lockstep.Compat.LocalCluster.Server do
  @moduledoc false
  # The process of a cluster of version 2: its nodes are peers that are linked to it. The callbacks of a gen_server.

  alias Lockstep.Compat.Nodes
  alias Lockstep.Runtime.{Booting, Context, Flags, Peer, Process}

  defstruct [:prefix, :options, index: 0, members: []]

  @doc false
  def init({amount, options}) do
    # So that it stops its nodes before it ends itself.
    Flags.process_flag(:trap_exit, true)
    prefix = Keyword.get_lazy(options, :prefix, fn -> "local-cluster-#{Booting.number(Context.get())}-" end)
    {_new, state} = grow(%__MODULE__{prefix: prefix, options: options}, amount)
    {:ok, state}
  end

  @doc false
  def handle_call(:members, _from, state), do: {:reply, {:ok, state.members}, state}

  def handle_call({:start, amount, options}, _from, state) do
    {new, grown} = grow(%{state | options: Keyword.merge(state.options, options)}, amount)
    {:reply, {:ok, new}, %{grown | options: state.options}}
  end

  def handle_call({:stop, which}, _from, state) do
    {gone, left} = Enum.split_with(state.members, fn {:member, pid, node} -> which in [pid, node] end)
    Enum.each(gone, &stop/1)
    {:reply, :ok, %{state | members: left}}
  end

  @doc false
  def handle_info(_exit_of_a_peer, state), do: {:noreply, state}

  @doc false
  def terminate(_reason, state), do: Enum.each(state.members, &stop/1)

  # It ends by itself when its node does.
  defp stop({:member, pid, _node}), do: if(Process.is_process_alive(pid), do: Peer.stop(pid))

  defp grow(state, amount) do
    indices = Enum.to_list((state.index + 1)..(state.index + amount)//1)
    new = Enum.map(indices, &member(state.prefix, &1))
    for {:member, _pid, node} <- new, do: Nodes.prepare(Context.get(), node, state.options)
    {new, %{state | index: state.index + amount, members: state.members ++ new}}
  end

  defp member(prefix, index) do
    name = String.to_charlist("#{prefix}#{index}")
    {:ok, pid, node} = Peer.start_link(%{name: name, host: String.to_charlist(Nodes.host())})
    {:member, pid, node}
  end
end
