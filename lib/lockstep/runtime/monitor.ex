defmodule Lockstep.Runtime.Monitor do
  @moduledoc false
  # Monitors and aliases.
  #
  # The core knows a monitor by its number; what the DOWN message has to look like is known to the watching process
  # alone, which makes it when it takes the message from its mailbox.

  alias Lockstep.Native
  alias Lockstep.Runtime.{Context, Escape, Identity, Mailbox, Services, Turn}

  @monitors :"$lockstep_monitors"
  @alias_modes %{explicit_unalias: :explicit, demonitor: :demonitor, reply_demonitor: :reply_demonitor}

  @doc "`:erlang.monitor/2`."
  @spec monitor(:process, pid() | atom() | {atom(), node()}) :: reference()
  def monitor(type, item) do
    case Context.get() do
      nil -> :erlang.monitor(type, item)
      ctx -> inside(ctx, type, item, [])
    end
  end

  @doc "`:erlang.monitor/3`."
  @spec monitor(:process, pid() | atom() | {atom(), node()}, keyword()) :: reference()
  def monitor(type, item, options) do
    case Context.get() do
      nil -> :erlang.monitor(type, item, options)
      ctx -> inside(ctx, type, item, options)
    end
  end

  # A clock that is never set back, which the virtual one is not.
  defp inside(ctx, :time_offset, :clock_service, options) do
    if options(options) == :badarg, do: :erlang.error(:badarg)
    {ref, _number} = Identity.new_ref(ctx)
    ref
  end

  defp inside(ctx, :process, item, options) do
    {tag, mode} = tag_and_mode(options)
    Services.ensure(ctx, item)
    {ref, number} = Identity.new_ref(ctx)
    remember(number, ref, object(ctx, item), tag)
    watched = Turn.take(Native.monitor(ctx.session, ctx.id, item, number, mode))
    if watched == false, do: :erlang.put(@monitors, Map.delete(remembered(), number))
    Turn.note(ctx, fn -> {"monitor #{inspect(item)}", item} end)
    ref
  end

  defp inside(_ctx, type, item, options), do: Escape.call(:erlang, :monitor, [type, item, options], nil)

  defp object(_ctx, pid) when is_pid(pid), do: pid
  defp object(ctx, name) when is_atom(name), do: {name, ctx.node}
  defp object(_ctx, {name, node} = object) when is_atom(name) and is_atom(node), do: object
  defp object(_ctx, _), do: :erlang.error(:badarg)

  defp tag_and_mode(options) do
    case options(options) do
      {:ok, tag, mode} -> {tag, mode}
      :badarg -> :erlang.error(:badarg)
    end
  end

  @doc "The tag of the DOWN message, and the kind of alias, that options of a monitor ask for."
  @spec options(term()) :: {:ok, term(), atom()} | :badarg
  def options(options) when is_list(options) do
    Enum.reduce_while(options, {:ok, :DOWN, nil}, fn
      {:tag, tag}, {:ok, _tag, mode} -> {:cont, {:ok, tag, mode}}
      {:alias, mode}, {:ok, tag, _mode} when is_map_key(@alias_modes, mode) -> {:cont, {:ok, tag, @alias_modes[mode]}}
      _other, _options -> {:halt, :badarg}
    end)
  end

  def options(_options), do: :badarg

  @doc "Notes what the DOWN message of a monitor is to look like."
  @spec remember(pos_integer(), reference(), term(), term()) :: :ok
  def remember(number, ref, object, tag) do
    :erlang.put(@monitors, Map.put(remembered(), number, {ref, object, tag}))
    :ok
  end

  @doc "The message of a monitor that has fired."
  @spec fired(pos_integer(), term()) :: tuple()
  def fired(number, reason) do
    {{ref, object, tag}, monitors} = Map.pop!(remembered(), number)
    :erlang.put(@monitors, monitors)
    {tag, ref, :process, object, reason}
  end

  @doc "The message that a monitor of a process with this dictionary is going to be."
  @spec message([{term(), term()}], pos_integer(), term()) :: tuple()
  def message(dictionary, number, reason) do
    {ref, object, tag} = dictionary |> List.keyfind(@monitors, 0) |> elem(1) |> Map.fetch!(number)
    {tag, ref, :process, object, reason}
  end

  @doc "What a process with this dictionary and these monitors watches, as `process_info/2` has it."
  @spec watched([{term(), term()}], [pos_integer()]) :: [{:process, term()}]
  def watched(dictionary, numbers) do
    monitors = List.keyfind(dictionary, @monitors, 0, {@monitors, %{}}) |> elem(1)
    for {number, {_, object, _}} <- Enum.sort(monitors), number in numbers, do: {:process, object}
  end

  @doc "`:erlang.demonitor/1`."
  @spec demonitor(reference()) :: true
  def demonitor(ref), do: demonitor(ref, [])

  @doc "`:erlang.demonitor/2`."
  @spec demonitor(reference(), [:flush | :info]) :: boolean()
  def demonitor(ref, options) do
    case Context.get() do
      nil -> :erlang.demonitor(ref, options)
      ctx when is_reference(ref) and is_list(options) -> demonitor(ctx, ref, options)
      _ -> :erlang.error(:badarg)
    end
  end

  defp demonitor(ctx, ref, options) do
    number = Identity.number(ref)
    found = Turn.take(Native.demonitor(ctx.session, ctx.id, number))
    Turn.note(ctx, fn -> {"demonitor", found} end)
    # One that has fired already keeps its entry: its message may still be on the way into the mailbox.
    if found, do: :erlang.put(@monitors, Map.delete(remembered(), number))
    if :flush in options and not found, do: Mailbox.reject(ctx, &match?({_, ^ref, :process, _, _}, &1))
    if :info in options, do: found, else: true
  end

  @doc "`:erlang.alias/0`."
  @spec alias() :: reference()
  def alias, do: __MODULE__.alias([])

  @doc "`:erlang.alias/1`."
  @spec alias([:explicit_unalias | :reply]) :: reference()
  def alias(options) do
    case Context.get() do
      nil ->
        :erlang.alias(options)

      ctx ->
        {ref, number} = Identity.new_ref(ctx)
        mode = if :reply in options, do: :reply, else: :explicit
        :ok = Turn.take(Native.alias(ctx.session, ctx.id, number, mode))
        ref
    end
  end

  @doc "`:erlang.unalias/1`."
  @spec unalias(reference()) :: boolean()
  def unalias(ref) do
    case Context.get() do
      nil -> :erlang.unalias(ref)
      ctx -> Turn.take(Native.unalias(ctx.session, ctx.id, Identity.number(ref)))
    end
  end

  defp remembered do
    case :erlang.get(@monitors) do
      :undefined -> %{}
      monitors -> monitors
    end
  end
end
