defmodule Lockstep.Compat.Pg2.Server do
  @moduledoc false
  # The server of `:pg2` on a node, started when a program there first asks for groups: the callbacks of a gen_server,
  # and what they and the functions of `:pg2` have of `:pg`.

  alias Lockstep.Native
  alias Lockstep.Runtime.{Call, Context, Names}

  @scope :"$pg2"

  @doc "Makes sure that there is a server on the caller's node."
  @spec ensure_started() :: :ok
  def ensure_started do
    if Names.whereis(:pg2) == :undefined, do: Call.apply(:gen_server, :start, [{:local, :pg2}, __MODULE__, [], []])
    :ok
  end

  @doc false
  def init([]) do
    {:ok, groups} = Call.apply(:pg, :start_link, [@scope])
    ctx = Context.get()
    # As a part of kernel it waits for ever by design.
    for pid <- [ctx.pid, groups], do: Native.daemon(ctx.session, pid)
    {:ok, nil}
  end

  @doc false
  def handle_call({:create, name}, _from, state) do
    unless Context.get().pid in pg(:get_local_members, [{:exists, name}]),
      do: pg(:join, [{:exists, name}, Context.get().pid])

    {:reply, :ok, state}
  end

  def handle_call({:delete, name}, _from, state) do
    pg(:leave, [{:exists, name}, Context.get().pid])
    Enum.each(pg(:get_local_members, [{:members, name}]), &pg(:leave, [{:members, name}, &1]))
    {:reply, :ok, state}
  end

  @doc false
  def handle_cast(_other, state), do: {:noreply, state}

  @doc false
  def handle_info(_other, state), do: {:noreply, state}

  @doc "Lets a process of the caller's node join."
  @spec join(term(), pid()) :: :ok
  def join(name, pid) do
    ensure_started()
    Call.apply(:gen_server, :call, [:pg2, {:create, name}])
    pg(:join, [{:members, name}, pid])
  end

  @doc "Lets a process of the caller's node leave."
  @spec leave(term(), pid()) :: :ok | :not_joined
  def leave(name, pid) do
    ensure_started()
    pg(:leave, [{:members, name}, pid])
  end

  @doc "Whether there is a group of this name, as far as the caller's node knows."
  @spec exists?(term()) :: boolean()
  def exists?(name), do: pg(:get_members, [{:exists, name}]) != []

  @doc "The processes in a group."
  @spec members(term()) :: [pid()]
  def members(name), do: pg(:get_members, [{:members, name}])

  @doc "The names of all groups."
  @spec groups() :: [term()]
  def groups, do: for({:exists, name} <- pg(:which_groups, []), do: name)

  defp pg(function, args), do: Call.apply(:pg, function, [@scope | args])
end
