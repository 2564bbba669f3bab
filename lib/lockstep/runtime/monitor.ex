defmodule Lockstep.Runtime.Monitor do
  @moduledoc false
  # Monitors and aliases.
  #
  # The core knows a monitor by its number; what the DOWN message has to look like is known to the watching process
  # alone, which makes it when it takes the message from its mailbox.

  alias Lockstep.Native
  alias Lockstep.Runtime.{Context, Escape, Flow, Identity, Mailbox, Nodes, Services, Stranger, Turn, WrongArgument}

  require Turn

  @monitors :"$lockstep_monitors"
  @alias_modes %{explicit_unalias: :explicit, demonitor: :demonitor, reply_demonitor: :reply_demonitor}
  @clock {:time_offset, :clock_service}

  @doc "`:erlang.monitor/2`."
  @spec monitor(:process, pid() | atom() | {atom(), node()}) :: reference()
  def monitor(type, item) do
    case Context.get() do
      nil -> :erlang.monitor(type, item)
      ctx -> inside(ctx, type, item, [], [type, item])
    end
  end

  @doc "`:erlang.monitor/3`."
  @spec monitor(:process, pid() | atom() | {atom(), node()}, keyword()) :: reference()
  def monitor(type, item, options) do
    case Context.get() do
      nil -> :erlang.monitor(type, item, options)
      ctx -> inside(ctx, type, item, options, [type, item, options])
    end
  end

  defp inside(ctx, type, item, options, arguments) do
    with {:ok, tag, mode} <- options(options), {:ok, object} <- object(ctx, type, item) do
      set(ctx, type, item, object, {tag, mode})
    else
      :escape -> Escape.call(:erlang, :monitor, arguments, nil)
      # The VM says what is wrong.
      :error -> apply(:erlang, :monitor, arguments)
    end
  end

  # Whoever sets the clock of the node looks here (`Lockstep.Cluster.set_clock/2`).
  defp set(ctx, :time_offset, _item, object, {tag, mode}) do
    {ref, number} = Identity.new_ref(ctx)
    tag = if tag == :DOWN, do: :CHANGE, else: tag
    remember(number, ref, object, tag)
    :ets.insert(ctx.store, {{:clock_monitor, ctx.node, number}, ctx.pid, ref, tag})
    if mode, do: :ok = Turn.take(Native.alias(ctx.session, ctx.id, number, mode))
    ref
  end

  defp set(ctx, :process, item, object, {tag, mode}) do
    Services.ensure(ctx, item)
    {ref, number} = Identity.new_ref(ctx)
    remember(number, ref, object, tag)
    watched = Flow.take(ctx, announce(ctx, meant(ctx, item), number, mode))
    if watched == false, do: :erlang.put(@monitors, Map.delete(remembered(), number))
    Turn.note(ctx, fn -> {"monitor #{inspect(item)}", item} end)
    ref
  end

  defp announce(ctx, item, number, mode) do
    with {:error, :foreign} = refused <- Native.monitor(ctx.session, ctx.id, item, number, mode) do
      if Stranger.nobody?(item), do: announce(ctx, Stranger.nobody(ctx.node), number, mode), else: refused
    end
  end

  defp object(_ctx, :process, pid) when is_pid(pid), do: {:ok, pid}
  defp object(_ctx, :process, name) when is_atom(name), do: {:ok, {name, Nodes.node()}}

  # A node that is not alive knows of no other.
  defp object(ctx, :process, {name, node}) when is_atom(name) and is_atom(node),
    do: if(node == Nodes.node() or Nodes.alive?(ctx), do: {:ok, {name, node}}, else: :error)

  defp object(_ctx, :time_offset, :clock_service), do: {:ok, @clock}
  defp object(_ctx, :port, port) when is_port(port) or is_atom(port) or is_tuple(port), do: :escape
  defp object(_ctx, _type, _item), do: :error

  defp meant(ctx, {name, node}), do: {name, Nodes.meant(ctx, node)}
  defp meant(_ctx, item), do: item

  @doc "Reads the options of a monitor: the tag of its message, and how its alias ends if it has one."
  @spec options(term()) :: {:ok, term(), Native.alias_mode() | nil} | :error
  def options(options) when is_list(options) and length(options) >= 0 do
    Enum.reduce_while(options, {:ok, :DOWN, nil}, fn
      {:tag, tag}, {:ok, _tag, mode} -> {:cont, {:ok, tag, mode}}
      {:alias, mode}, {:ok, tag, _mode} when is_map_key(@alias_modes, mode) -> {:cont, {:ok, tag, @alias_modes[mode]}}
      _, _ -> {:halt, :error}
    end)
  end

  def options(_options), do: :error

  @doc "Notes what the DOWN message of a monitor is to look like."
  @spec remember(pos_integer(), reference(), term(), term()) :: :ok
  def remember(number, ref, object, tag) do
    :erlang.put(@monitors, Map.put(remembered(), number, {ref, object, tag}))
    :ok
  end

  @doc "The message of a monitor that has fired."
  @spec fired(pos_integer(), term()) :: tuple()
  def fired(number, reason) do
    monitors = remembered()
    :erlang.put(@monitors, Map.delete(monitors, number))
    message([{@monitors, monitors}], number, reason)
  end

  @doc "The message of a monitor of the process whose dictionary this is."
  @spec message([{term(), term()}], pos_integer(), term()) :: tuple()
  def message(dictionary, number, reason) do
    {ref, object, tag} = Map.fetch!(remembered(dictionary), number)
    {tag, ref, :process, object, reason}
  end

  @doc "What a process watches, as `process_info/2` has it: the core says which of its monitors have not fired."
  @spec watched([{term(), term()}], [pos_integer()]) :: [{:process | :time_offset, term()}]
  def watched(dictionary, numbers) do
    for {number, {_, object, _}} <- Enum.sort(remembered(dictionary)), number in numbers or object == @clock do
      if object == @clock, do: @clock, else: {:process, object}
    end
  end

  @doc "`:erlang.demonitor/1`."
  @spec demonitor(reference()) :: true
  def demonitor(ref), do: demonitor(ref, [])

  @doc "`:erlang.demonitor/2`."
  @spec demonitor(reference(), [:flush | :info]) :: boolean()
  def demonitor(ref, options) do
    case Context.get() do
      ctx when ctx != nil and is_reference(ref) and length(options) >= 0 ->
        # One of another node cannot be the caller's.
        if Identity.count(ctx, ref) == 0 and Nodes.node(ref) != Nodes.node(),
          do: WrongArgument.fail(:demonitor, [ref, options], :none)

        if Enum.all?(options, &(&1 in [:flush, :info])),
          do: demonitor(ctx, ref, options),
          else: :erlang.demonitor(ref, options)

      _ ->
        :erlang.demonitor(ref, options)
    end
  end

  defp demonitor(ctx, ref, options) do
    number = Identity.number(ref)
    watched = Flow.take(ctx, Native.demonitor(ctx.session, ctx.id, number))
    found = watched or match?(%{^number => {_, @clock, _}}, remembered())
    Turn.note(ctx, fn -> {"demonitor", found} end)
    # One that has fired already keeps its entry: its message may still be on the way into the mailbox.
    if found, do: :erlang.put(@monitors, Map.delete(remembered(), number))
    if found and not watched, do: :ets.delete(ctx.store, {:clock_monitor, ctx.node, number})
    if :flush in options and not found, do: Mailbox.drop_first(ctx, &match?({_, ^ref, _, _, _}, &1))
    if :info in options, do: found, else: true
  end

  @doc "`:erlang.alias/0`."
  @spec alias() :: reference()
  def alias, do: __MODULE__.alias([])

  @doc "`:erlang.alias/1`."
  @spec alias([:explicit_unalias | :reply]) :: reference()
  def alias(options) do
    case Context.get() do
      ctx when ctx != nil and length(options) >= 0 ->
        if Enum.all?(options, &(&1 in [:explicit_unalias, :reply])),
          do: make_alias(ctx, List.last(options)),
          else: :erlang.alias(options)

      _ ->
        :erlang.alias(options)
    end
  end

  # The latest option counts.
  defp make_alias(ctx, option) do
    {ref, number} = Identity.new_ref(ctx)
    mode = if option == :reply, do: :reply, else: :explicit
    :ok = Turn.take(Native.alias(ctx.session, ctx.id, number, mode))
    Turn.mark(ctx)
    ref
  end

  @doc "`:erlang.unalias/1`."
  @spec unalias(reference()) :: boolean()
  def unalias(ref) do
    case Context.get() do
      ctx when ctx != nil and is_reference(ref) ->
        active? = Turn.take(Native.unalias(ctx.session, ctx.id, Identity.number(ref)))
        Turn.mark(ctx)
        active?

      _ ->
        :erlang.unalias(ref)
    end
  end

  defp remembered do
    case :erlang.get(@monitors) do
      :undefined -> %{}
      monitors -> monitors
    end
  end

  defp remembered(dictionary), do: dictionary |> List.keyfind(@monitors, 0, {@monitors, %{}}) |> elem(1)
end
