defmodule Lockstep.Runtime.Log do
  @moduledoc false
  # Logging. What a run logs belongs to it: it goes to the captures and handlers of the run, and is shown if the run
  # fails. The levels are those that are configured outside. Each message is a step that conflicts with other messages.

  alias Lockstep.Native
  alias Lockstep.Runtime.{Call, Clock, Context, Output, Turn}
  alias Lockstep.Runtime.Log.{Capture, Handlers, Text}

  require Turn

  @levels [:debug, :info, :notice, :warning, :error, :critical, :alert, :emergency]
  # Above the numbers of table entries, which are hashes of 27 bits.
  @object 1_000_000_002

  @type message :: {:string, IO.chardata()} | {:report, map() | keyword()} | {:io.format(), [term()]}

  for level <- @levels do
    @doc "`:logger.#{level}/1`."
    def unquote(level)(message), do: log(unquote(level), message)

    @doc "`:logger.#{level}/2`."
    def unquote(level)(message, args_or_metadata), do: log(unquote(level), message, args_or_metadata)

    @doc "`:logger.#{level}/3`."
    def unquote(level)(message, args, metadata), do: log(unquote(level), message, args, metadata)
  end

  @doc "`:logger.log/2`."
  def log(level, message), do: call(:log, [level, message], {level, message, [], %{}})

  @doc "`:logger.log/3`."
  def log(level, message, metadata) when is_map(metadata) do
    call(:log, [level, message, metadata], {level, message, [], metadata})
  end

  def log(level, message, args), do: call(:log, [level, message, args], {level, message, args, %{}})

  @doc "`:logger.log/4`."
  def log(level, message, args, metadata) do
    call(:log, [level, message, args, metadata], {level, message, args, metadata})
  end

  defp call(function, args, {level, message, format_args, metadata}) do
    case Context.get() do
      nil -> apply(:logger, function, args)
      ctx -> if :logger.allow(level, nil), do: emit(ctx, level, contents(message, format_args), metadata), else: :ok
    end
  end

  @doc "`:logger.macro_log/3`; the level has been checked."
  def macro_log(location, level, message), do: macro(location, level, message, [], %{}, [message])

  @doc "`:logger.macro_log/4`."
  def macro_log(location, level, message, metadata) when is_map(metadata) do
    macro(location, level, message, [], metadata, [message, metadata])
  end

  def macro_log(location, level, message, args), do: macro(location, level, message, args, %{}, [message, args])

  @doc "`:logger.macro_log/5`."
  def macro_log(location, level, message, args, metadata) do
    macro(location, level, message, args, metadata, [message, args, metadata])
  end

  defp macro(location, level, message, format_args, metadata, args) do
    case Context.get() do
      nil -> apply(:logger, :macro_log, [location, level | args])
      ctx -> emit(ctx, level, contents(message, format_args), Map.merge(location, metadata))
    end
  end

  # As `:logger` has it: a fun makes the message when it is known to be wanted.
  defp contents(fun, args) when is_function(fun, 1), do: fun |> Call.apply([args]) |> made()
  defp contents(report, _args) when is_map(report), do: {:report, report}
  defp contents([{key, _} | _] = report, []) when is_atom(key), do: {:report, report}
  defp contents(string, []), do: {:string, string}
  defp contents(format, args), do: {format, args}

  defp made({format, args}) when is_list(args), do: {format, args}
  defp made(report_or_string), do: contents(report_or_string, [])

  @doc "`Logger.__do_log__/4`, which the macros of `Logger` expand to; the level has been checked."
  def do_log(level, message, location, metadata) do
    case Context.get() do
      nil -> apply(Logger, :__do_log__, [level, message, location, metadata])
      ctx -> elixir(ctx, level, message, Map.merge(location, Map.new(metadata)))
    end
  end

  @doc "`Logger.bare_log/2`."
  def bare_log(level, message), do: bare_log(level, message, [])

  @doc "`Logger.bare_log/3`."
  def bare_log(level, message, metadata) do
    case Context.get() do
      nil -> apply(Logger, :bare_log, [level, message, metadata])
      ctx -> bare(ctx, level, message, metadata, apply(Logger, :__should_log__, [level, nil]))
    end
  end

  defp bare(_ctx, _level, _message, _metadata, nil), do: :ok
  defp bare(ctx, _level, message, metadata, level), do: elixir(ctx, level, message, Map.new(metadata))

  defp elixir(ctx, level, fun, metadata) when is_function(fun, 0) do
    case Call.apply(fun, []) do
      {message, more} -> elixir(ctx, level, message, Map.merge(metadata, Map.new(more)))
      message -> elixir(ctx, level, message, metadata)
    end
  end

  defp elixir(ctx, level, message, metadata) do
    emit(ctx, level, if(report?(message), do: {:report, message}, else: {:string, message}), metadata)
  end

  defp report?(message), do: is_map(message) or (Keyword.keyword?(message) and message != [])

  @doc "`Logger.flush/0`: nothing is ever kept back."
  @spec flush() :: :ok
  def flush, do: if(Context.inside?(), do: :ok, else: apply(Logger, :flush, []))

  @doc "What the VM says of a process that has ended because of an error that nobody has caught."
  @spec emulator({term(), Exception.stacktrace()}) :: :ok
  def emulator(reason) do
    ctx = Context.get()
    message = {~c"Error in process ~p with exit value:~n~p~n", [ctx.pid, reason]}
    if :logger.allow(:error, nil), do: emit(ctx, :error, message, %{error_logger: %{emulator: true, tag: :error}})
    :ok
  end

  # As configured by default, `Logger` drops what OTP says of every process that starts or ends.
  defp emit(_ctx, _level, _message, %{domain: [:otp, :sasl | _]}), do: :ok

  defp emit(ctx, level, message, metadata) do
    Turn.take(Native.access(ctx.session, ctx.id, @object, true))
    event = %{level: level, msg: message, meta: metadata(ctx, metadata)}
    Turn.note(ctx, fn -> {"log #{level}: #{Text.of(event)}", {level, message}} end)
    Output.log(ctx, event)
    Capture.add(ctx, event)
    Handlers.call(ctx, event)
  end

  defp metadata(ctx, given) do
    time = Native.now(ctx.session) + Clock.system_start()
    defaults = %{pid: ctx.pid, gl: ctx.pid, time: time, node: ctx.node}

    case :logger.get_process_metadata() do
      :undefined -> Map.merge(defaults, given)
      own -> defaults |> Map.merge(own) |> Map.merge(given)
    end
  end
end
