defmodule Lockstep.Runtime.Ets.Ownership do
  @moduledoc false
  # Tables are made, given away, inherited and renamed.
  #
  # The real tables belong to the real processes: so the VM enforces who may do what, deletes them with their owners
  # and passes them on to their heirs. The messages that tell of it are the run's; those of the VM bear a mark, and
  # `Lockstep.Runtime.Turn` drops them.

  alias Lockstep.Native
  alias Lockstep.Runtime.{Context, Identity, Nodes, Shared, Turn}
  alias Lockstep.Runtime.Ets.{Operation, Table}

  @mark :"$lockstep"

  @doc "`:ets.new/2`."
  def new(name, options) do
    case Context.get() do
      nil -> :ets.new(name, options)
      ctx -> create(ctx, name, options)
    end
  end

  defp create(ctx, name, options) do
    call = {:new, [name, options]}
    named? = is_atom(name) and has?(options, :named_table)
    {_, number} = identity = Identity.new_table(ctx)
    Shared.announce(ctx, Shared.number(if named?, do: {ctx.node, name}, else: number), nil, true)
    tid = Operation.guarded(call, fn -> :ets.new(name, real_options(ctx, options)) end)

    if named? and Table.find(ctx, name) != nil do
      :ets.delete(tid)
      Operation.refuse(call, :already_exists)
    end

    table = Table.enter(ctx, identity, tid, named?, heir(tid, options))
    Operation.noted(ctx, call, Table.id(table))
  end

  defp has?([option | _], option), do: true
  defp has?([_ | options], option), do: has?(options, option)
  defp has?(_, _option), do: false

  # What is wrong stays wrong, for the VM to refuse.
  defp real_options(ctx, [:named_table | options]), do: real_options(ctx, options)
  defp real_options(ctx, [option | options]), do: [real_option(ctx, option) | real_options(ctx, options)]
  defp real_options(_ctx, rest), do: rest

  defp real_option(ctx, {:heir, pid, _data}) when is_pid(pid), do: {:heir, real_pid(ctx, pid), @mark}
  defp real_option(ctx, {:heir, pid}) when is_pid(pid), do: {:heir, real_pid(ctx, pid)}
  defp real_option(_ctx, option), do: option

  # A virtual pid is to the VM that of a dead process; an heir on another node, however, is none at all.
  defp real_pid(ctx, pid) do
    cond do
      Nodes.elsewhere?(ctx, pid) -> :on_another_node
      Native.alive(ctx.session, pid) -> Native.real_pid(ctx.session, pid)
      true -> pid
    end
  end

  # The last one counts, if the VM has taken it: one who was dead already is no heir.
  defp heir(tid, options) do
    with pid when is_pid(pid) <- :ets.info(tid, :heir) do
      options |> Enum.filter(&(is_tuple(&1) and elem(&1, 0) == :heir)) |> List.last() |> Tuple.delete_at(0)
    else
      :none -> nil
    end
  end

  @doc "`:ets.setopts/2`."
  def setopts(id, options) do
    case Context.get() do
      nil ->
        :ets.setopts(id, options)

      ctx ->
        Operation.run(ctx, id, {:setopts, [id, options]}, :table, true, fn table ->
          :ets.setopts(table.tid, real_setting(ctx, options))
          if options != [], do: Table.put(ctx, %{table | heir: heir(table.tid, List.wrap(options))})
          true
        end)
    end
  end

  defp real_setting(ctx, options) when is_list(options), do: real_options(ctx, options)
  defp real_setting(ctx, option), do: real_option(ctx, option)

  @doc "`:ets.rename/2`."
  def rename(id, name) do
    case Context.get() do
      nil -> :ets.rename(id, name)
      ctx -> rename(ctx, id, name)
    end
  end

  # Two names are touched.
  defp rename(ctx, id, name) do
    call = {:rename, [id, name]}
    Shared.announce_all(ctx, true)

    Operation.perform(ctx, id, call, fn table ->
      if table.named? and is_atom(name) and Table.find(ctx, name) != nil, do: Operation.refuse(call, nil)
      :ets.rename(table.tid, name)
      Table.forget_name(ctx, table)
      ctx |> Table.put(%{table | name: name}) |> Table.id()
    end)
  end

  @doc "`:ets.give_away/3`."
  def give_away(id, pid, data) do
    case Context.get() do
      nil ->
        :ets.give_away(id, pid, data)

      ctx ->
        call = {:give_away, [id, pid, data]}
        true = Operation.run(ctx, id, call, :table, true, &give(ctx, &1, pid, data))
        tell(ctx, pid, :ets.lookup_element(ctx.store, {:gift, ctx.pid}, 3))
        Operation.noted(ctx, call, true)
    end
  end

  defp give(ctx, table, pid, data) do
    :ets.give_away(table.tid, if(is_pid(pid), do: real_pid(ctx, pid), else: pid), @mark)
    # Should the giver be killed before it can send the message, it is sent all the same.
    :ets.insert(ctx.store, {{:gift, ctx.pid}, pid, message(ctx, table, data)})
    Table.hand_over(ctx, table, pid)
    # What is returned here is in the trace, where nothing of the VM's may be, as the real table is.
    true
  end

  defp message(ctx, table, data), do: {:"ETS-TRANSFER", Table.id(table), ctx.pid, data}

  # The message arrives later than the table, as any signal may.
  defp tell(ctx, pid, message) do
    grant = Turn.take(Native.send(ctx.session, ctx.id, pid))
    :ets.delete(ctx.store, {:gift, ctx.pid})
    with {:sent, real, id} <- grant, do: send(real, {:"$lockstep", id, message})
  end

  @doc """
  Settles what the caller, who is about to end, leaves: who gets which message.

  Its real tables go to their heirs, or are deleted, when the real process ends.
  """
  @spec bequeath(Context.t()) :: [{pid(), term()}]
  def bequeath(ctx) do
    gifts = for {_, pid, message} <- :ets.take(ctx.store, {:gift, ctx.pid}), do: {pid, message}
    messages = gifts ++ Enum.flat_map(Table.owned(ctx, ctx.pid), &pass_on(ctx, &1))
    Enum.filter(messages, fn {pid, _message} -> Native.alive(ctx.session, pid) end)
  end

  defp pass_on(ctx, table) do
    pid = table.heir && elem(table.heir, 0)

    if pid && pid != ctx.pid && Native.alive(ctx.session, pid) do
      Table.hand_over(ctx, table, pid)
      with {pid, data} <- table.heir, do: [{pid, message(ctx, table, data)}], else: ({_pid} -> [])
    else
      Table.forget(ctx, table)
      []
    end
  end
end
