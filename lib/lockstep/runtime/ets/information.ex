defmodule Lockstep.Runtime.Ets.Information do
  @moduledoc false
  # What is told about tables: virtual where it is about identity or time.

  alias Lockstep.Native
  alias Lockstep.Runtime.{Clock, Context, Escape, Shared}
  alias Lockstep.Runtime.Ets.{Operation, Table}

  # Addresses of the VM's memory.
  @host_items [:binary]

  @doc "`:ets.whereis/1`."
  def whereis(name) do
    case Context.get() do
      ctx when ctx != nil and is_atom(name) ->
        Operation.announce(ctx, name, :table, false)
        table = Table.find(ctx, name)
        Operation.noted(ctx, {:whereis, [name]}, if(table, do: table.id, else: :undefined))

      _ ->
        :ets.whereis(name)
    end
  end

  @doc "`:ets.all/0`."
  def all do
    case Context.get() do
      nil ->
        :ets.all()

      ctx ->
        Shared.announce_all(ctx, false)
        Operation.noted(ctx, {:all, []}, ctx |> Table.all() |> Enum.map(&Table.id/1))
    end
  end

  @doc "`:ets.info/1`."
  def info(id) do
    case Context.get() do
      nil -> :ets.info(id)
      ctx -> tell(ctx, id, [id], fn table -> table.tid |> :ets.info() |> Enum.map(&virtual(&1, ctx, table)) end)
    end
  end

  @doc "`:ets.info/2`."
  def info(id, item) do
    case Context.get() do
      nil -> :ets.info(id, item)
      ctx -> tell(ctx, id, [id, item], &item(ctx, &1, item))
    end
  end

  defp tell(ctx, id, args, fun) do
    call = {:info, args}
    Operation.announce(ctx, id, :table, false)

    case Table.find(ctx, id) || Table.elsewhere?(ctx, id) do
      # A reference of another node is none that a table of this one could have had.
      true -> Operation.absent(id, call)
      false -> Operation.absent(id, call, fn -> undefined(ctx, call) end)
      table -> Operation.noted(ctx, call, Operation.guarded(call, fn -> fun.(table) end))
    end
  end

  # Unless the VM has something to say to the item.
  defp undefined(ctx, {:info, [_id | items]} = call) do
    Operation.noted(ctx, call, Operation.guarded(call, fn -> apply(:ets, :info, [:"$lockstep" | items]) end))
  end

  defp item(ctx, table, item) do
    if item in @host_items, do: Escape.note(ctx, :ets, :info, 2, nil)
    {item, :ets.info(table.tid, item)} |> virtual(ctx, table) |> elem(1)
  end

  defp virtual({:owner, _}, _ctx, table), do: {:owner, table.owner}
  defp virtual({:heir, heir}, _ctx, table) when is_pid(heir), do: {:heir, elem(table.heir, 0)}
  defp virtual({:node, _}, _ctx, table), do: {:node, table.node}
  defp virtual({:id, _}, _ctx, table), do: {:id, table.id}
  defp virtual({:named_table, _}, _ctx, table), do: {:named_table, table.named?}
  defp virtual({:safe_fixed, {_, who}}, ctx, table), do: {:safe_fixed, {since(ctx, table, :timestamp), who(ctx, who)}}

  defp virtual({:safe_fixed_monotonic_time = item, {_, who}}, ctx, table),
    do: {item, {since(ctx, table, :monotonic), who(ctx, who)}}

  defp virtual(item, _ctx, _table), do: item

  defp since(ctx, table, kind) do
    micros = :ets.lookup_element(ctx.store, {:fixed_since, table.number}, 2)
    if kind == :timestamp, do: Clock.timestamp_at(micros), else: Clock.monotonic_at(micros)
  end

  defp who(ctx, real) do
    shown = Map.new(Native.living(ctx.session, ctx.pid), &{Native.real_pid(ctx.session, &1), &1})
    real |> Enum.map(fn {pid, count} -> {Map.get(shown, pid, pid), count} end) |> Enum.sort()
  end

  @doc "`:ets.safe_fixtable/2`."
  def safe_fixtable(id, fix?) do
    case Context.get() do
      nil -> :ets.safe_fixtable(id, fix?)
      ctx -> Operation.run(ctx, id, {:safe_fixtable, [id, fix?]}, :table, true, &fix(ctx, &1, fix?))
    end
  end

  defp fix(ctx, table, fix?) do
    fixed? = :ets.info(table.tid, :fixed)
    :ets.safe_fixtable(table.tid, fix?)
    if fix? and not fixed?, do: :ets.insert(ctx.store, {{:fixed_since, table.number}, Native.now(ctx.session)})
    true
  end
end
