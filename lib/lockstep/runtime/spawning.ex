defmodule Lockstep.Runtime.Spawning do
  @moduledoc false
  # The start of processes. Wherever the arguments are wrong, the VM says it best: its own function is called with them.

  import Kernel, except: [spawn: 1, spawn: 3, spawn_link: 1, spawn_link: 3, spawn_monitor: 1, spawn_monitor: 3]

  alias Lockstep.Native
  alias Lockstep.Runtime.{Base, Call, Context, Flow, Identity, Leader, Mailbox, Message, Monitor, Nodes, Turn}
  alias Lockstep.Runtime.Spawning.{Options, Purpose}

  require Turn

  @started :"$lockstep_started"

  defguardp is_call(module, function, args)
            when is_atom(module) and is_atom(function) and is_list(args) and length(args) >= 0

  # What most of these functions take for a fun: whether it can be called without arguments is the new process's affair.
  defguardp is_fun(fun)
            when is_function(fun) or
                   (is_tuple(fun) and tuple_size(fun) == 2 and is_atom(elem(fun, 0)) and is_atom(elem(fun, 1)))

  # One clause a function that starts a process: the options it stands for, and its arguments with and without a node.
  for {name, options, fun?} <- [
        {:spawn, Macro.escape(%Options{}), quote(do: is_fun(var!(fun)))},
        {:spawn_link, Macro.escape(%Options{link?: true, given: [:link]}), quote(do: is_fun(var!(fun)))},
        {:spawn_monitor, Macro.escape(%Options{monitor: {:DOWN, nil}, given: [:monitor]}),
         quote(do: is_function(var!(fun), 0))}
      ] do
    @doc "`:erlang.#{name}/1`."
    def unquote(name)(fun) do
      case Context.get() do
        ctx when ctx != nil and unquote(fun?) -> start(ctx, ctx.node, fun, unquote(options))
        _ -> :erlang.unquote(name)(fun)
      end
    end

    @doc "`:erlang.#{name}/2`."
    def unquote(name)(node, fun) do
      case Context.get() do
        ctx when ctx != nil and is_atom(node) and unquote(fun?) -> start(ctx, node, fun, unquote(options))
        _ -> :erlang.unquote(name)(node, fun)
      end
    end

    @doc "`:erlang.#{name}/3`."
    def unquote(name)(module, function, args) do
      case Context.get() do
        ctx when ctx != nil and is_call(module, function, args) ->
          start(ctx, ctx.node, {module, function, args}, unquote(options))

        _ ->
          :erlang.unquote(name)(module, function, args)
      end
    end

    @doc "`:erlang.#{name}/4`."
    def unquote(name)(node, module, function, args) do
      case Context.get() do
        ctx when ctx != nil and is_atom(node) and is_call(module, function, args) ->
          start(ctx, node, {module, function, args}, unquote(options))

        _ ->
          :erlang.unquote(name)(node, module, function, args)
      end
    end
  end

  @doc "`:erlang.spawn_opt/2`."
  def spawn_opt(fun, options) do
    with ctx when ctx != nil and is_fun(fun) <- Context.get(), {:ok, read} <- Options.read(options) do
      start(ctx, ctx.node, fun, read)
    else
      _ -> :erlang.spawn_opt(fun, options)
    end
  end

  @doc "`:erlang.spawn_opt/3`."
  def spawn_opt(node, fun, options) do
    with ctx when ctx != nil <- Context.get(), true <- fun?(ctx, node, fun), {:ok, read} <- Options.read(options) do
      start(ctx, node, fun, read)
    else
      _ -> :erlang.spawn_opt(node, fun, options)
    end
  end

  # For another node it looks closer.
  defp fun?(%{node: node}, node, fun), do: is_fun(fun)
  defp fun?(_ctx, node, fun), do: is_atom(node) and is_fun(fun) and (is_tuple(fun) or is_function(fun, 0))

  @doc "`:erlang.spawn_opt/4`."
  def spawn_opt(module, function, args, options) do
    with ctx when ctx != nil and is_call(module, function, args) <- Context.get(),
         {:ok, read} <- Options.read(options) do
      start(ctx, ctx.node, {module, function, args}, read)
    else
      _ -> :erlang.spawn_opt(module, function, args, options)
    end
  end

  @doc "`:erlang.spawn_opt/5`."
  def spawn_opt(node, module, function, args, options) do
    with ctx when ctx != nil and is_atom(node) and is_call(module, function, args) <- Context.get(),
         {:ok, read} <- Options.read(options) do
      start(ctx, node, {module, function, args}, read)
    else
      _ -> :erlang.spawn_opt(node, module, function, args, options)
    end
  end

  @doc "Starts a process on a node that is up, whatever the network does: for `Lockstep.Cluster`."
  @spec spawn_on(node(), (... -> term()), keyword()) :: pid() | {pid(), reference()}
  def spawn_on(node, fun, options),
    do: start_at_once(Context.get(), node, fun, %Options{link?: options[:link?] == true, monitor: options[:monitor]})

  defp start(ctx, node, call, options), do: start_on(ctx, Nodes.meant(ctx, node), call, options)

  defp start_on(%{node: node} = ctx, node, call, options), do: start_at_once(ctx, node, call, options)

  # The wish has to get there, and the answer back.
  defp start_on(ctx, node, call, options) do
    {ref, number} = Identity.new_ref(ctx)
    wanted = {alias_mode(options), number, true, true}

    next = Native.spawn_request(ctx.session, ctx.id, node, options.link?, options.monitor != nil, wanted)

    case next |> Turn.take() |> Flow.split() do
      {:noconnection, _} ->
        not_started(ctx, node, call, options)

      {{:requested, id, message}, stuck?} ->
        pid = born(ctx, id, node, call, options)
        Leader.share(ctx, id)
        send(:erlang.self(), {:"$lockstep", message, {@started, ref, :ok, pid}})
        if stuck?, do: Flow.weigh(ctx, call, true)
        started = with_monitor(pid, if(options.monitor, do: ref), number, options)

        if Mailbox.await(&outcome(&1, ref), :infinity) == :ok,
          do: started,
          else: not_started(ctx, node, call, options)
    end
  end

  defp outcome({@started, ref, :ok, _pid}, ref), do: {:ok, :ok}
  defp outcome({@started, ref, :error, reason}, ref), do: {:ok, reason}
  defp outcome(_message, _ref), do: :skip

  # A process that cannot be started is one that has ended already, on the caller's own node.
  defp not_started(ctx, node, call, options) do
    start_at_once(ctx, ctx.node, fn -> could_not_start(node, call(call), options.given) end, options)
  end

  defp could_not_start(node, {module, function, args}, []) do
    warn("** Can not start ~w:~w,~w on ~w **~n", [module, function, args, node])
    exit(:noconnection)
  end

  defp could_not_start(node, {module, function, args}, given) do
    warn("** Can not start ~w:~w,~w (~w) on ~w **~n", [module, function, args, given, node])
    exit(:noconnection)
  end

  defp warn(format, args), do: Call.apply(:error_logger, :warning_msg, [to_charlist(format), args])

  defp call({module, function, args}), do: {module, function, args}
  defp call(fun), do: {:erlang, :apply, [fun, []]}

  defp start_at_once(ctx, node, call, options) do
    {ref, number} = if options.monitor, do: Identity.new_ref(ctx), else: {nil, nil}

    case Turn.take(Native.spawn(ctx.session, ctx.id, node, options.link?, number, alias_mode(options))) do
      # The node has gone down since it was asked for.
      :noconnection -> not_started(ctx, node, call, options)
      id -> ctx |> born(id, node, call, options) |> with_monitor(ref, number, options)
    end
  end

  defp alias_mode(%{monitor: {_tag, mode}}), do: mode
  defp alias_mode(_options), do: nil

  defp born(ctx, id, node, call, options) do
    pid = Base.spawn(ctx, id, node, body(call), initial_call(call), options.settings)
    Turn.note(ctx, fn -> {"spawn #{inspect(pid)}: #{Purpose.of(call)}", pid} end)
    pid
  end

  defp body({module, function, args}), do: fn -> Call.apply(module, function, args) end
  defp body(fun) when is_function(fun, 0), do: fn -> Call.apply(fun, []) end
  # Nobody has called it: all there is to see is what the process began with.
  defp body(fun), do: fn -> :erlang.raise(:error, not_callable(fun), [{:erlang, :apply, 2, []}]) end

  defp not_callable(fun) when is_function(fun), do: {:badarity, {fun, []}}
  defp not_callable(other), do: {:badfun, other}

  defp initial_call({module, function, args}), do: {module, function, length(args)}
  defp initial_call(_fun), do: {:erlang, :apply, 2}

  defp with_monitor(pid, nil, _number, _options), do: pid

  defp with_monitor(pid, ref, number, %{monitor: {tag, _mode}}) do
    Monitor.remember(number, ref, pid, tag)
    {pid, ref}
  end

  @doc "`:erlang.spawn_request/1`."
  def spawn_request(fun) do
    case Context.get() do
      ctx when ctx != nil and is_function(fun, 0) -> request(ctx, ctx.node, fun, [])
      _ -> :erlang.spawn_request(fun)
    end
  end

  @doc "`:erlang.spawn_request/2`."
  def spawn_request(first, second) do
    case {Context.get(), first, second} do
      {ctx, fun, options} when ctx != nil and is_function(fun, 0) and length(options) >= 0 ->
        request(ctx, ctx.node, fun, options)

      {ctx, node, fun} when ctx != nil and is_atom(node) and is_function(fun, 0) ->
        request(ctx, node, fun, [])

      _ ->
        :erlang.spawn_request(first, second)
    end
  end

  @doc "`:erlang.spawn_request/3`."
  def spawn_request(first, second, third) do
    case {Context.get(), first, second, third} do
      {ctx, node, fun, options} when ctx != nil and is_atom(node) and is_function(fun, 0) and length(options) >= 0 ->
        request(ctx, node, fun, options)

      {ctx, module, function, args} when ctx != nil and is_call(module, function, args) ->
        request(ctx, ctx.node, {module, function, args}, [])

      _ ->
        :erlang.spawn_request(first, second, third)
    end
  end

  @doc "`:erlang.spawn_request/4`."
  def spawn_request(first, second, third, fourth) do
    case {Context.get(), first, second, third, fourth} do
      {ctx, node, module, function, args}
      when ctx != nil and is_atom(node) and is_call(module, function, args) ->
        request(ctx, node, {module, function, args}, [])

      {ctx, module, function, args, options}
      when ctx != nil and is_call(module, function, args) and length(options) >= 0 ->
        request(ctx, ctx.node, {module, function, args}, options)

      _ ->
        :erlang.spawn_request(first, second, third, fourth)
    end
  end

  @doc "`:erlang.spawn_request/5`."
  def spawn_request(node, module, function, args, options) do
    case Context.get() do
      ctx when ctx != nil and is_atom(node) and is_call(module, function, args) and length(options) >= 0 ->
        request(ctx, node, {module, function, args}, options)

      _ ->
        :erlang.spawn_request(node, module, function, args, options)
    end
  end

  defp request(ctx, node, call, options) do
    {ref, number} = Identity.new_ref(ctx)
    {reply, options} = Options.read_reply(options)

    case Options.read(options) do
      {:ok, options} -> request(ctx, node, call, options, {ref, number}, reply)
      :error -> refuse(ctx, ref, reply, :badopt)
    end

    ref
  end

  defp request(ctx, node, call, options, {ref, number}, {tag, success?, failure?} = reply) do
    wanted = {alias_mode(options), number, success?, failure?}
    monitor? = options.monitor != nil

    case ctx.session
         |> Native.spawn_request(ctx.id, Nodes.meant(ctx, node), options.link?, monitor?, wanted)
         |> Turn.take()
         |> Flow.split() do
      {:noconnection, _} ->
        refuse(ctx, ref, reply, :noconnection)

      {{:requested, id, message}, stuck?} ->
        pid = born(ctx, id, node, call, options)
        if node != ctx.node, do: Leader.share(ctx, id)
        # It counts when the core says that it has been delivered.
        if success? or failure?, do: send(:erlang.self(), {:"$lockstep", message, {tag, ref, :ok, pid}})
        if monitor?, do: with_monitor(pid, ref, number, options)
        if stuck?, do: Flow.weigh(ctx, call, true)
    end
  end

  defp refuse(ctx, ref, {tag, _success?, true}, reason), do: Message.send(ctx.pid, {tag, ref, :error, reason})
  defp refuse(_ctx, _ref, _reply, _reason), do: :ok

  @doc "`:erlang.spawn_request_abandon/1`."
  @spec spawn_request_abandon(reference()) :: boolean()
  def spawn_request_abandon(ref) do
    case Context.get() do
      ctx when ctx != nil and is_reference(ref) -> abandon(ctx, Identity.number(ref))
      _ -> :erlang.spawn_request_abandon(ref)
    end
  end

  defp abandon(ctx, number) do
    {answer, stuck?} = ctx.session |> Native.abandon(ctx.id, number) |> Turn.take() |> Flow.split()
    Turn.note(ctx, fn -> {"abandon a request", number} end)

    with {:sent, real, id} <- answer do
      send(real, {:"$lockstep_exit", id, ctx.pid, :abandoned})
      if stuck?, do: Flow.weigh(ctx, [], true)
      true
    end
  end
end
