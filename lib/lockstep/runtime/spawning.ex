defmodule Lockstep.Runtime.Spawning do
  @moduledoc false
  # Starting processes: every function of `:erlang` that does, down to one.

  alias Lockstep.Native
  alias Lockstep.Runtime.{Base, Call, Context, Identity, Message, Monitor, Turn}
  alias Lockstep.Runtime.Spawning.Options

  # One clause a function that starts a process: the options it stands for, and its arguments with and without a node.
  for {name, options} <- [spawn: [], spawn_link: [:link], spawn_monitor: [:monitor]] do
    @doc "`:erlang.#{name}/1`."
    def unquote(name)(fun), do: call(unquote(name), [fun], nil, [fun], unquote(options))

    @doc "`:erlang.#{name}/2`."
    def unquote(name)(node, fun), do: call(unquote(name), [node, fun], node, [fun], unquote(options))

    @doc "`:erlang.#{name}/3`."
    def unquote(name)(module, function, args) do
      mfa = [module, function, args]
      call(unquote(name), mfa, nil, mfa, unquote(options))
    end

    @doc "`:erlang.#{name}/4`."
    def unquote(name)(node, module, function, args) do
      mfa = [module, function, args]
      call(unquote(name), [node | mfa], node, mfa, unquote(options))
    end
  end

  @doc "`:erlang.spawn_opt/2`."
  def spawn_opt(fun, options), do: call(:spawn_opt, [fun, options], nil, [fun], options)

  @doc "`:erlang.spawn_opt/3`."
  def spawn_opt(node, fun, options), do: call(:spawn_opt, [node, fun, options], node, [fun], options)

  @doc "`:erlang.spawn_opt/4`."
  def spawn_opt(module, function, args, options) do
    mfa = [module, function, args]
    call(:spawn_opt, mfa ++ [options], nil, mfa, options)
  end

  @doc "`:erlang.spawn_opt/5`."
  def spawn_opt(node, module, function, args, options) do
    mfa = [module, function, args]
    call(:spawn_opt, [node | mfa] ++ [options], node, mfa, options)
  end

  @doc "`:erlang.spawn_request/1`."
  def spawn_request(fun), do: request([fun], nil, [fun], [])

  @doc "`:erlang.spawn_request/2`."
  def spawn_request(node, fun) when is_atom(node), do: request([node, fun], node, [fun], [])
  def spawn_request(fun, options), do: request([fun, options], nil, [fun], options)

  @doc "`:erlang.spawn_request/3`."
  def spawn_request(node, fun, options) when is_atom(node) and is_function(fun) do
    request([node, fun, options], node, [fun], options)
  end

  def spawn_request(module, function, args) do
    mfa = [module, function, args]
    request(mfa, nil, mfa, [])
  end

  @doc "`:erlang.spawn_request/4`."
  def spawn_request(node, module, function, args) when is_atom(function) do
    mfa = [module, function, args]
    request([node | mfa], node, mfa, [])
  end

  def spawn_request(module, function, args, options) do
    mfa = [module, function, args]
    request(mfa ++ [options], nil, mfa, options)
  end

  @doc "`:erlang.spawn_request/5`."
  def spawn_request(node, module, function, args, options) do
    mfa = [module, function, args]
    request([node | mfa] ++ [options], node, mfa, options)
  end

  @doc "`:erlang.spawn_request_abandon/1`: the reply has always come already."
  @spec spawn_request_abandon(reference()) :: boolean()
  def spawn_request_abandon(ref) do
    case Context.get() do
      nil -> :erlang.spawn_request_abandon(ref)
      _ when is_reference(ref) -> false
      _ -> :erlang.error(:badarg)
    end
  end

  @doc "Starts a process on a node that is up, for `Lockstep.Cluster`."
  @spec spawn_on(node(), (... -> term()), keyword()) :: pid()
  def spawn_on(node, fun, options) do
    {:ok, options} = Options.parse(if(options[:link?], do: [:link], else: []))
    start(Context.get(), node, body([fun]), options)
  end

  defp call(function, args, node, what, options) do
    case Context.get() do
      nil -> apply(:erlang, function, args)
      ctx -> checked(ctx, node || ctx.node, body(what), Options.parse(options))
    end
  end

  defp checked(ctx, node, {_, _} = body, {:ok, options}) when is_atom(node), do: start(ctx, node, body, options)
  defp checked(_ctx, _node, _body, _options), do: :erlang.error(:badarg)

  defp request(args, node, what, options) do
    case Context.get() do
      nil -> apply(:erlang, :spawn_request, args)
      ctx -> requested(ctx, node || ctx.node, body(what), Options.parse_request(options))
    end
  end

  # The new process is there at once, and the message that says so comes before anything of its own.
  defp requested(ctx, node, {_, _} = body, {:ok, options}) when is_atom(node) do
    ref = options.monitor || Identity.new_ref(ctx)
    options = %{options | monitor: options.monitor && ref}

    case attempt(ctx, node, body, options) do
      :noconnection -> answer(ctx, options, elem(ref, 0), :error, :noconnection)
      pid -> answer(ctx, options, elem(ref, 0), :ok, pid)
    end
  end

  defp requested(ctx, _node, {_, _}, {:badopt, options}) do
    answer(ctx, options, ctx |> Identity.new_ref() |> elem(0), :error, :badopt)
  end

  defp requested(_ctx, _node, _body, _options), do: :erlang.error(:badarg)

  defp answer(ctx, options, ref, result, value) do
    if options.reply in [:yes, wanted(result)], do: Message.send(ctx.pid, {options.reply_tag, ref, result, value})
    ref
  end

  defp wanted(:ok), do: :success_only
  defp wanted(:error), do: :error_only

  # What it runs, and what it is known by: its initial call.
  defp body([fun]) when is_function(fun, 0), do: {fn -> Call.apply(fun, []) end, {:erlang, :apply, 2}}

  defp body([module, function, args]) when is_atom(module) and is_atom(function) and is_list(args) do
    {fn -> Call.apply(module, function, args) end, {module, function, length(args)}}
  end

  defp body(_what), do: :error

  defp start(ctx, node, body, options) do
    case attempt(ctx, node, body, options) do
      # A process that cannot be started is one that has ended already, on the caller's own node.
      :noconnection -> start(ctx, ctx.node, {fn -> exit(:noconnection) end, {:erlang, :apply, 2}}, options)
      pid -> with_monitor(pid, options.monitor)
    end
  end

  defp with_monitor(pid, nil), do: pid
  defp with_monitor(pid, {ref, _number}), do: {pid, ref}

  defp attempt(ctx, node, body, options) do
    number = if options.monitor, do: elem(options.monitor, 1)
    if options.alias, do: Turn.take(Native.alias(ctx.session, ctx.id, number, options.alias))

    case Turn.take(Native.spawn(ctx.session, ctx.id, node, options.link?, number)) do
      :noconnection -> :noconnection
      id -> started(ctx, Base.spawn(ctx, id, node, prepared(ctx, body, options.flags)), options)
    end
  end

  defp started(ctx, pid, options) do
    with {ref, number} <- options.monitor, do: Monitor.remember(number, ref, pid, options.tag)
    Turn.note(ctx, fn -> {"spawn #{inspect(pid)}", pid} end)
    pid
  end

  defp prepared(parent, {fun, initial_call}, flags) do
    parent = parent.pid

    fn ->
      Context.introduce(initial_call, parent)
      Enum.each(flags, fn {flag, value} -> :erlang.process_flag(flag, value) end)
      fun.()
    end
  end
end
