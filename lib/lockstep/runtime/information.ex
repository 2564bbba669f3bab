defmodule Lockstep.Runtime.Information do
  @moduledoc false
  # What `process_info` tells: the virtual side of things, without our own bookkeeping.

  alias Lockstep.Native
  alias Lockstep.Runtime.{Context, Escape, Flags, Leader, Mailbox, Monitor, Stack, Turn}

  # Processes as objects of an access; above the numbers of tables and nodes.
  @object 2_000_000_000

  @default_items [
    :registered_name,
    :current_function,
    :initial_call,
    :status,
    :message_queue_len,
    :links,
    :dictionary,
    :trap_exit,
    :error_handler,
    :priority,
    :group_leader
  ]

  # How much memory a process takes depends on the VM, and crash reports say it: here it is that of one that has just
  # started.
  @constants %{
    heap_size: 233,
    total_heap_size: 233,
    stack_size: 10,
    memory: 2688,
    catchlevel: 0,
    binary: [],
    last_calls: false
  }

  @doc "The number of a process as an object that is accessed."
  @spec object(non_neg_integer()) :: non_neg_integer()
  def object(id), do: @object + id

  @doc "Looks at a process of the caller's node, as a step."
  @spec look(Context.t(), pid()) :: :ok
  def look(ctx, pid) do
    if not is_pid(pid) or Native.node_of(ctx.session, pid) not in [ctx.node, nil], do: :erlang.error(:badarg)
    Turn.take(Native.access(ctx.session, ctx.id, @object + (Native.id(ctx.session, pid) || 0), false))
    :ok
  end

  @doc "`:erlang.process_info/1`."
  @spec process_info(pid()) :: [{atom(), term()}] | :undefined
  def process_info(pid) do
    case Context.get() do
      nil -> :erlang.process_info(pid)
      ctx -> ctx |> tell(pid, @default_items) |> without_empty_name()
    end
  end

  defp without_empty_name(:undefined), do: :undefined
  defp without_empty_name(items), do: List.delete(items, {:registered_name, []})

  @doc "`:erlang.process_info/2`."
  @spec process_info(pid(), atom() | [atom()] | {:dictionary, term()}) :: term()
  def process_info(pid, items) do
    case Context.get() do
      nil -> :erlang.process_info(pid, items)
      ctx when is_list(items) -> tell(ctx, pid, items)
      ctx -> ctx |> tell(pid, [items]) |> single()
    end
  end

  defp single(:undefined), do: :undefined
  defp single([{:registered_name, []}]), do: []
  defp single([item]), do: item

  defp tell(ctx, pid, items) do
    look(ctx, pid)

    if Native.alive(ctx.session, pid) do
      described(items, ctx, pid, facts(ctx, pid))
    else
      :undefined
    end
  end

  # Not by a function of `Enum`: it would be in the stack that is looked at, and there is no telling whose it is.
  defp described([], _ctx, _pid, _facts), do: []

  defp described([item | items], ctx, pid, facts),
    do: [{item, item(item, ctx, pid, facts)} | described(items, ctx, pid, facts)]

  defp facts(ctx, pid) do
    {links, trap_exit, name, _queued} = Native.info(ctx.session, pid)
    {watchers, watching, suspending, suspended?} = Native.ties(ctx.session, pid)
    real = Native.real_pid(ctx.session, pid)
    {:dictionary, dictionary} = Process.info(real, :dictionary)

    %{
      links: links,
      trap_exit: trap_exit,
      name: name,
      watchers: watchers,
      watching: watching,
      suspending: suspending,
      suspended?: suspended?,
      real: real,
      dictionary: dictionary
    }
  end

  defp item(:links, _ctx, _pid, facts), do: facts.links
  defp item(:trap_exit, _ctx, _pid, facts), do: facts.trap_exit
  defp item(:registered_name, _ctx, _pid, facts), do: facts.name || []
  defp item(:monitors, _ctx, _pid, facts), do: Monitor.watched(facts.dictionary, facts.watching)
  defp item(:monitored_by, _ctx, _pid, facts), do: facts.watchers
  defp item(:suspending, _ctx, _pid, facts), do: for({pid, count} <- facts.suspending, do: {pid, count, 0})
  defp item(:error_handler, _ctx, _pid, facts), do: Flags.error_handler(facts.dictionary)
  defp item(:messages, ctx, pid, facts), do: messages(ctx, pid, facts)
  defp item(:message_queue_len, ctx, pid, facts), do: length(messages(ctx, pid, facts))
  defp item(:initial_call, _ctx, _pid, facts), do: facts.dictionary |> Context.origin() |> elem(0)
  defp item(:parent, _ctx, _pid, facts), do: facts.dictionary |> Context.origin() |> elem(1)
  defp item(:label, _ctx, _pid, facts), do: entry(facts.dictionary, :"$process_label")
  defp item(:dictionary, _ctx, _pid, facts), do: Context.visible(facts.dictionary)
  defp item({:dictionary, key}, _ctx, _pid, facts), do: entry(facts.dictionary, key)
  defp item(:group_leader, ctx, pid, _facts), do: Leader.of(ctx, pid)
  defp item(:status, _ctx, _pid, %{suspended?: true}), do: :suspended
  defp item(:status, ctx, pid, _facts), do: if(pid == ctx.pid, do: :running, else: :waiting)

  defp item(:current_stacktrace, _ctx, _pid, facts) do
    {:current_stacktrace, stack} = Process.info(facts.real, :current_stacktrace)
    Stack.current(stack)
  end

  defp item(:current_location, ctx, pid, facts) do
    case item(:current_stacktrace, ctx, pid, facts) do
      [frame | _] -> frame
      [] -> :undefined
    end
  end

  defp item(:current_function, ctx, pid, facts) do
    case item(:current_stacktrace, ctx, pid, facts) do
      [{module, function, arity, _} | _] when is_integer(arity) -> {module, function, arity}
      _ -> :undefined
    end
  end

  # Settings of the process; what it does with them is not simulated.
  defp item(item, _ctx, _pid, facts) when item in [:priority, :message_queue_data, :async_dist] do
    facts.real |> Process.info(item) |> elem(1)
  end

  defp item(item, _ctx, _pid, _facts) when is_map_key(@constants, item), do: @constants[item]

  # Work is counted in steps of the run.
  defp item(:reductions, ctx, _pid, _facts), do: Native.progress(ctx.session)

  # What else describes how a process is run differs from run to run.
  defp item(item, _ctx, pid, _facts), do: Escape.call(:erlang, :process_info, [pid, item], nil)

  defp messages(%{pid: pid} = ctx, pid, _facts), do: Mailbox.messages(ctx)
  defp messages(ctx, pid, facts), do: Mailbox.messages_of(ctx, pid, facts.real, facts.dictionary)

  defp entry(dictionary, key), do: dictionary |> List.keyfind(key, 0, {key, :undefined}) |> elem(1)
end
