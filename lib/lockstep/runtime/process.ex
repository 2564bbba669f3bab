defmodule Lockstep.Runtime.Process do
  @moduledoc false
  # Processes: their start, their links, their signals.

  import Kernel,
    except: [self: 0, spawn: 1, spawn: 3, spawn_link: 1, spawn_link: 3, spawn_monitor: 1, spawn_monitor: 3]

  alias Lockstep.Native
  alias Lockstep.Runtime.{Base, Call, Context, Ending, Escape, Identity, Information, Mailbox, Monitor, Turn}

  # Flags that change how fast a process runs and nothing that a program can see.
  @harmless_flags [
    :priority,
    :message_queue_data,
    :min_heap_size,
    :min_bin_vheap_size,
    :max_heap_size,
    :fullsweep_after,
    :sensitive
  ]

  @doc "`:erlang.self/0`."
  @spec self() :: pid()
  def self do
    case Context.get() do
      nil -> :erlang.self()
      ctx -> ctx.pid
    end
  end

  # One clause a function that starts a process: the options it stands for, and its arguments with and without a node.
  for {name, options} <- [spawn: [], spawn_link: [:link], spawn_monitor: [:monitor]] do
    @doc "`:erlang.#{name}/1`."
    def unquote(name)(fun) do
      if Context.inside?(), do: spawn_opt(fun, unquote(options)), else: :erlang.unquote(name)(fun)
    end

    @doc "`:erlang.#{name}/2`."
    def unquote(name)(node, fun) do
      if Context.inside?(), do: spawn_opt(node, fun, unquote(options)), else: :erlang.unquote(name)(node, fun)
    end

    @doc "`:erlang.#{name}/3`."
    def unquote(name)(module, function, args) do
      if Context.inside?(),
        do: spawn_opt(module, function, args, unquote(options)),
        else: :erlang.unquote(name)(module, function, args)
    end

    @doc "`:erlang.#{name}/4`."
    def unquote(name)(node, module, function, args) do
      if Context.inside?(),
        do: spawn_opt(node, module, function, args, unquote(options)),
        else: :erlang.unquote(name)(node, module, function, args)
    end
  end

  @doc "`:erlang.spawn_opt/2`."
  def spawn_opt(fun, options) do
    case Context.get() do
      nil -> :erlang.spawn_opt(fun, options)
      ctx -> start(ctx, ctx.node, body(fun), options)
    end
  end

  @doc "`:erlang.spawn_opt/3`."
  def spawn_opt(node, fun, options) do
    case Context.get() do
      nil -> :erlang.spawn_opt(node, fun, options)
      ctx -> start(ctx, node, body(fun), options)
    end
  end

  @doc "`:erlang.spawn_opt/4`."
  def spawn_opt(module, function, args, options) do
    case Context.get() do
      nil -> :erlang.spawn_opt(module, function, args, options)
      ctx -> start(ctx, ctx.node, body(module, function, args), options)
    end
  end

  @doc "`:erlang.spawn_opt/5`."
  def spawn_opt(node, module, function, args, options) do
    case Context.get() do
      nil -> :erlang.spawn_opt(node, module, function, args, options)
      ctx -> start(ctx, node, body(module, function, args), options)
    end
  end

  @doc "Starts a process on a node that is up, for `Lockstep.Cluster`."
  @spec spawn_on(node(), (... -> term()), keyword()) :: pid()
  def spawn_on(node, fun, options) do
    start(Context.get(), node, body(fun), if(options[:link?], do: [:link], else: []))
  end

  defp body(fun) when is_function(fun, 0), do: fn -> Call.apply(fun, []) end
  defp body(_fun), do: :erlang.error(:badarg)

  defp body(module, function, args) when is_atom(module) and is_atom(function) and is_list(args) do
    fn -> Call.apply(module, function, args) end
  end

  defp body(_module, _function, _args), do: :erlang.error(:badarg)

  defp start(ctx, node, body, options) when is_atom(node) and is_list(options) do
    link? = :link in options
    monitor = monitor(ctx, options)
    number = if monitor, do: elem(monitor, 1)

    case Turn.take(Native.spawn(ctx.session, ctx.id, node, link?, number)) do
      # A process that cannot be started is one that has ended already, on the caller's own node.
      :noconnection -> start(ctx, ctx.node, fn -> exit(:noconnection) end, options)
      id -> started(ctx, Base.spawn(ctx, id, node, body), monitor, options)
    end
  end

  defp start(_ctx, _node, _body, _options), do: :erlang.error(:badarg)

  defp monitor(ctx, options) do
    if :monitor in options or Keyword.has_key?(Enum.filter(options, &is_tuple/1), :monitor), do: Identity.new_ref(ctx)
  end

  defp started(ctx, pid, nil, _options) do
    Turn.note(ctx, fn -> {"spawn #{inspect(pid)}", pid} end)
    pid
  end

  defp started(ctx, pid, {ref, number}, options) do
    tag = options |> Enum.filter(&is_tuple/1) |> Keyword.get(:monitor, []) |> Keyword.get(:tag, :DOWN)
    Monitor.remember(number, ref, pid, tag)
    {started(ctx, pid, nil, options), ref}
  end

  @doc "`:erlang.exit/2`."
  @spec exit(pid(), term()) :: true
  def exit(pid, reason) do
    case Context.get() do
      nil -> :erlang.exit(pid, reason)
      ctx when is_pid(pid) -> signal(ctx, pid, reason)
      _ -> :erlang.error(:badarg)
    end
  end

  defp signal(ctx, pid, reason) do
    class = if reason == :kill, do: :kill, else: Ending.class(reason)

    case Turn.take(Native.signal(ctx.session, ctx.id, pid, class)) do
      {:sent, real, id} -> send(real, {:"$lockstep_exit", id, ctx.pid, reason})
      :ok -> :ok
    end

    Turn.note(ctx, fn -> {"exit #{inspect(pid)}, #{inspect(reason)}", {pid, reason}} end)
    # A signal to oneself has taken effect before exit/2 returns.
    if pid == ctx.pid, do: Turn.take(Native.yield(ctx.session, ctx.id))
    true
  end

  @doc "`:erlang.link/1`."
  @spec link(pid()) :: true
  def link(pid) do
    case Context.get() do
      nil -> :erlang.link(pid)
      ctx -> linked(ctx, pid, Turn.take(Native.link(ctx.session, ctx.id, pid)))
    end
  end

  defp linked(_ctx, _pid, {:refused, :noproc}), do: :erlang.error(:noproc)

  defp linked(ctx, pid, true) do
    Turn.note(ctx, fn -> {"link #{inspect(pid)}", pid} end)
    true
  end

  @doc "`:erlang.unlink/1`."
  @spec unlink(pid()) :: true
  def unlink(pid) do
    case Context.get() do
      nil ->
        :erlang.unlink(pid)

      ctx ->
        Turn.take(Native.unlink(ctx.session, ctx.id, pid))
        Turn.note(ctx, fn -> {"unlink #{inspect(pid)}", pid} end)
        true
    end
  end

  @doc "`:erlang.process_flag/2`."
  @spec process_flag(atom(), term()) :: term()
  def process_flag(flag, value) do
    case Context.get() do
      nil -> :erlang.process_flag(flag, value)
      ctx -> flag(ctx, flag, value)
    end
  end

  defp flag(ctx, :trap_exit, value) when is_boolean(value) do
    before = Turn.take(Native.trap_exit(ctx.session, ctx.id, value))
    Turn.note(ctx, fn -> {"trap_exit #{value}", value} end)
    before
  end

  defp flag(_ctx, flag, value) when flag in @harmless_flags, do: :erlang.process_flag(flag, value)
  defp flag(_ctx, flag, value), do: Escape.call(:erlang, :process_flag, [flag, value], nil)

  @doc "`:erlang.is_process_alive/1`."
  @spec is_process_alive(pid()) :: boolean()
  def is_process_alive(pid) do
    case Context.get() do
      nil ->
        :erlang.is_process_alive(pid)

      ctx ->
        Information.look(ctx, pid)
        alive? = Native.alive(ctx.session, pid)
        Turn.note(ctx, fn -> {"alive? #{inspect(pid)}: #{alive?}", {pid, alive?}} end)
        alive?
    end
  end

  @doc "`:erlang.processes/0`: the living processes of the caller's node."
  @spec processes() :: [pid()]
  def processes do
    case Context.get() do
      nil -> :erlang.processes()
      ctx -> Native.living(ctx.session, ctx.pid)
    end
  end

  defdelegate process_info(pid), to: Information
  defdelegate process_info(pid, items), to: Information

  @doc "`:erlang.hibernate/3`: waits for a message, then goes on in the given function. The stack is kept."
  @spec hibernate(module(), atom(), [term()]) :: no_return()
  def hibernate(module, function, args) do
    case Context.get() do
      nil -> :erlang.hibernate(module, function, args)
      _ -> wake(module, function, args)
    end
  end

  defp wake(module, function, args) do
    if Mailbox.peek() == false, do: Mailbox.wait(:infinity)
    Call.apply(module, function, args)
  end

  @doc "`:erlang.get/0`, without our own keys."
  @spec get() :: [{term(), term()}]
  def get, do: Context.visible(:erlang.get())

  @doc "`:erlang.get_keys/0`, without our own."
  @spec get_keys() :: [term()]
  def get_keys, do: Enum.map(get(), &elem(&1, 0))

  @doc "`:erlang.get_keys/1`, without our own."
  @spec get_keys(term()) :: [term()]
  def get_keys(value), do: for({key, ^value} <- get(), do: key)

  @doc "`:erlang.erase/0`, without our own keys."
  @spec erase() :: [{term(), term()}]
  def erase do
    entries = get()
    Enum.each(entries, fn {key, _} -> :erlang.erase(key) end)
    entries
  end

  @doc "`:erlang.yield/0`."
  @spec yield() :: true
  def yield do
    case Context.get() do
      nil ->
        :erlang.yield()

      ctx ->
        Turn.take(Native.yield(ctx.session, ctx.id))
        true
    end
  end

  @doc "`:erlang.garbage_collect/0`."
  @spec garbage_collect() :: true
  def garbage_collect, do: :erlang.garbage_collect()

  @doc "`:erlang.garbage_collect/1`."
  @spec garbage_collect(pid()) :: boolean()
  def garbage_collect(pid) do
    case Context.get() do
      nil -> :erlang.garbage_collect(pid)
      _ -> is_process_alive(pid)
    end
  end
end
