defmodule Lockstep.Runtime.Information do
  @moduledoc false
  # What `process_info` tells: the virtual side of things, without our own bookkeeping.

  alias Lockstep.Native

  alias Lockstep.Runtime.{
    Base,
    Context,
    Escape,
    Flags,
    Leader,
    Mailbox,
    Monitor,
    Stack,
    Stranger,
    Turn,
    WrongArgument
  }

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
    :group_leader,
    :total_heap_size,
    :heap_size,
    :stack_size,
    :reductions,
    :garbage_collection,
    :suspending
  ]

  # How much memory a process takes depends on the VM, and crash reports say it: here it is that of one that has just
  # started.
  @memory %{
    heap_size: 233,
    total_heap_size: 233,
    stack_size: 10,
    memory: 2688,
    garbage_collection_info: [
      old_heap_block_size: 0,
      heap_block_size: 233,
      mbuf_size: 0,
      recent_size: 0,
      stack_size: 10,
      old_heap_size: 0,
      heap_size: 223,
      bin_vheap_size: 0,
      bin_vheap_block_size: 46_422,
      bin_old_vheap_size: 0,
      bin_old_vheap_block_size: 46_422
    ]
  }

  # How the VM was told to run the process: the real one is run like that.
  @settings [
    :async_dist,
    :fullsweep_after,
    :max_heap_size,
    :message_queue_data,
    :min_bin_vheap_size,
    :min_heap_size,
    :priority,
    :priority_messages
  ]

  @constants %{sequential_trace_token: [], trace: 0}

  @doc "Looks at a process of the caller's node, as a step. What the caller has sent to it before has arrived then."
  @spec look(Context.t(), pid()) :: :ok
  def look(ctx, pid) do
    if Native.node_of(ctx.session, pid) not in [ctx.node, nil], do: :erlang.error(:badarg)
    known? = Native.id(ctx.session, pid) != nil
    unless known?, do: refuse_host(pid)
    # No process of the run has never been one.
    :ok = Turn.take(Native.look(ctx.session, ctx.id, if(known?, do: pid)))
    Turn.mark(ctx)
  end

  # To say that it is dead, as other pids are that no process of the run has, would be wrong.
  defp refuse_host(pid) do
    unless Stranger.nobody?(pid), do: Turn.take({:error, :foreign})
  end

  @doc "`:erlang.process_info/1`."
  @spec process_info(pid()) :: [{atom(), term()}] | :undefined
  def process_info(pid) do
    case Context.get() do
      ctx when ctx != nil and is_pid(pid) -> ctx |> tell(pid, @default_items, [pid]) |> without_empty_name()
      _ -> :erlang.process_info(pid)
    end
  end

  defp without_empty_name(:undefined), do: :undefined
  defp without_empty_name(items), do: List.delete(items, {:registered_name, []})

  @doc "`:erlang.process_info/2`."
  @spec process_info(pid(), atom() | [atom()] | {:dictionary, term()}) :: term()
  def process_info(pid, items) do
    case Context.get() do
      ctx when ctx == nil or not is_pid(pid) -> :erlang.process_info(pid, items)
      ctx when is_list(items) -> ctx |> known(pid, items) |> tell(pid, items, [pid, items])
      ctx -> ctx |> known(pid, items) |> tell(pid, [items], [pid, items]) |> single()
    end
  end

  # The VM knows its items, and refuses others. To it, a virtual pid is that of a dead process.
  defp known(ctx, pid, items) do
    if Native.id(ctx.session, pid), do: :undefined = :erlang.process_info(pid, items)
    ctx
  end

  defp single(:undefined), do: :undefined
  defp single([{:registered_name, []}]), do: []
  defp single([item]), do: item

  defp tell(ctx, pid, items, arguments) do
    unless Native.node_of(ctx.session, pid) in [ctx.node, nil],
      do: WrongArgument.fail(:process_info, arguments, :none)

    look(ctx, pid)

    if Native.alive(ctx.session, pid) do
      described(items, ctx, facts(ctx, pid))
    else
      :undefined
    end
  end

  # Not by a function of `Enum`: it would be in the stack that is looked at, and there is no telling whose it is.
  defp described([], _ctx, _facts), do: []
  defp described([item | items], ctx, facts), do: [{item, item(item, ctx, facts)} | described(items, ctx, facts)]

  defp facts(ctx, pid) do
    if pid == ctx.pid, do: Mailbox.messages(ctx)
    real = Native.real_pid(ctx.session, pid)
    {:dictionary, dictionary} = Process.info(real, :dictionary)
    {links, trap_exit, name, queued} = Native.info(ctx.session, pid)
    {watching, watchers, suspending, status} = Native.relations(ctx.session, pid)

    %{
      pid: pid,
      id: Native.id(ctx.session, pid),
      real: real,
      dictionary: dictionary,
      sensitive?: Flags.all(dictionary).sensitive,
      links: links,
      trap_exit: trap_exit,
      name: name,
      queued: queued,
      watching: watching,
      watchers: watchers,
      suspending: suspending,
      status: status
    }
  end

  defp item(:links, _ctx, facts), do: facts.links
  defp item(:trap_exit, _ctx, facts), do: facts.trap_exit
  defp item(:registered_name, _ctx, facts), do: facts.name || []
  defp item(:monitors, _ctx, facts), do: Monitor.watched(facts.dictionary, facts.watching)
  defp item(:monitored_by, _ctx, facts), do: facts.watchers
  defp item(:suspending, _ctx, facts), do: facts.suspending
  defp item(:status, _ctx, facts), do: facts.status
  defp item(:error_handler, _ctx, facts), do: Flags.all(facts.dictionary).error_handler
  defp item(:parent, ctx, facts), do: ctx |> Base.birth(facts.id) |> elem(0)
  defp item(:initial_call, ctx, facts), do: ctx |> Base.birth(facts.id) |> elem(1)
  defp item(:group_leader, ctx, facts), do: Leader.of(ctx, facts.pid)

  defp item(item, _ctx, %{sensitive?: true}) when item in [:messages, :dictionary], do: []
  defp item(:backtrace, _ctx, %{sensitive?: true}), do: ""

  defp item(:messages, ctx, facts) do
    Mailbox.messages_of(ctx, facts.real, Native.delivered(ctx.session, facts.pid))
  end

  defp item(:message_queue_len, _ctx, facts), do: facts.queued + length(Mailbox.messages_in(facts.dictionary))
  defp item(:dictionary, _ctx, facts), do: Context.visible(facts.dictionary)
  defp item({:dictionary, key}, _ctx, facts), do: entry(facts, key)
  defp item(:label, _ctx, facts), do: entry(facts, :"$process_label")

  defp item(:current_stacktrace, _ctx, facts), do: stack(facts)

  defp item(:current_function, ctx, facts) do
    {module, function, arity, _} = item(:current_location, ctx, facts)
    {module, function, arity}
  end

  defp item(:current_location, ctx, facts) do
    case stack(facts) do
      [{module, function, arity, location} | _] when is_integer(arity) -> {module, function, arity, location}
      _ -> without_stack(ctx, facts)
    end
  end

  defp item(:last_calls, ctx, facts) do
    if Flags.saved_calls(ctx, facts.id) == 0, do: false, else: escape(facts, :last_calls)
  end

  defp item(:garbage_collection, _ctx, facts) do
    {_, settings} = Process.info(facts.real, :garbage_collection)
    Keyword.replace(settings, :minor_gcs, 0)
  end

  defp item(item, _ctx, facts) when item in @settings, do: facts.real |> :erlang.process_info(item) |> elem(1)
  defp item(item, _ctx, _facts) when is_map_key(@memory, item), do: @memory[item]
  defp item(item, _ctx, _facts) when is_map_key(@constants, item), do: @constants[item]

  # Work is counted in steps of the run.
  defp item(:reductions, ctx, _facts), do: Native.progress(ctx.session)

  # What else describes how a process is run differs from run to run.
  defp item(item, _ctx, facts), do: escape(facts, item)

  defp entry(facts, key) do
    case List.keyfind(Context.visible(facts.dictionary), key, 0) do
      {^key, value} -> value
      nil -> :undefined
    end
  end

  defp stack(facts) do
    {:current_stacktrace, stack} = Process.info(facts.real, :current_stacktrace)
    Stack.current(stack)
  end

  # One that hibernates has none, and one that has not taken its first step is about to make its first call.
  defp without_stack(ctx, facts) do
    {:current_stacktrace, stack} = Process.info(facts.real, :current_stacktrace)

    if Enum.any?(stack, &match?({Base, :asleep, 0, _}, &1)) do
      {:erlang, :hibernate, 3, []}
    else
      {_parent, {module, function, arity}} = Base.birth(ctx, facts.id)
      {module, function, arity, []}
    end
  end

  defp escape(facts, item), do: :erlang |> Escape.call(:process_info, [facts.real, item], nil) |> elem(1)
end
