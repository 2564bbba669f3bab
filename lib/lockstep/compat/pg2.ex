defmodule Lockstep.Compat.Pg2 do
  @moduledoc false
  # `:pg2`, the process groups that OTP had until release 24, over `:pg`. See `Lockstep.Compat`.
  #
  # Who is in a group is what `:pg` says, in a scope of its own. Unlike there a group has to be created, and may be empty:
  # it exists where the server of some node that can be reached is in a second group, which stands for that.

  alias Lockstep.Compat.Pg2.Server
  alias Lockstep.Compat.StandIn
  alias Lockstep.Runtime.{Call, Nodes, Random}

  @type name :: term()
  @type no_such_group :: {:error, {:no_such_group, name()}}

  @doc "`pg2:create/1`."
  @spec create(name()) :: :ok
  def create(name) do
    start!("create/1")
    everywhere({:create, name})
  end

  @doc "`pg2:delete/1`."
  @spec delete(name()) :: :ok
  def delete(name) do
    start!("delete/1")
    everywhere({:delete, name})
  end

  # Where no program has made use of groups yet there is nobody to tell: it will ask the others.
  defp everywhere(request) do
    Call.apply(:gen_server, :multi_call, [[Nodes.node() | Nodes.nodes()], :pg2, request])
    :ok
  end

  @doc "`pg2:join/2`."
  @spec join(name(), pid()) :: :ok | no_such_group()
  def join(name, pid) when is_pid(pid), do: change("join/2", name, pid, :join)

  @doc "`pg2:leave/2`."
  @spec leave(name(), pid()) :: :ok | no_such_group()
  def leave(name, pid) when is_pid(pid), do: change("leave/2", name, pid, :leave)

  # A process joins on its own node.
  defp change(call, name, pid, function) do
    in_group(call, name, fn ->
      Call.apply(:rpc, :call, [Nodes.node(pid), Server, function, [name, pid]])
      :ok
    end)
  end

  @doc "`pg2:get_members/1`."
  @spec get_members(name()) :: [pid()] | no_such_group()
  def get_members(name), do: in_group("get_members/1", name, fn -> Server.members(name) end)

  @doc "`pg2:get_local_members/1`."
  @spec get_local_members(name()) :: [pid()] | no_such_group()
  def get_local_members(name), do: in_group("get_local_members/1", name, fn -> local(Server.members(name)) end)

  @doc "`pg2:get_closest_pid/1`: any of the caller's node, or else any."
  @spec get_closest_pid(name()) :: pid() | {:error, {:no_process, name()}} | no_such_group()
  def get_closest_pid(name) do
    in_group("get_closest_pid/1", name, fn ->
      members = Server.members(name)
      any(name, with([] <- local(members), do: members))
    end)
  end

  defp any(name, []), do: {:error, {:no_process, name}}
  defp any(_name, members), do: Enum.at(members, Random.uniform(length(members)) - 1)

  defp local(members), do: Enum.filter(members, &(Nodes.node(&1) == Nodes.node()))

  @doc "`pg2:which_groups/0`."
  @spec which_groups() :: [name()]
  def which_groups do
    start!("which_groups/0")
    Server.groups()
  end

  defp in_group(call, name, fun) do
    start!(call)
    if Server.exists?(name), do: fun.(), else: {:error, {:no_such_group, name}}
  end

  defp start!(call) do
    StandIn.check_inside!(":pg2.#{call}")
    Server.ensure_started()
  end
end
