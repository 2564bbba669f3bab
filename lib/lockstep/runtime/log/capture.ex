defmodule Lockstep.Runtime.Log.Capture do
  @moduledoc false
  # `ExUnit.CaptureLog` inside a run: captures what the run logs, on all its nodes.

  alias Lockstep.Runtime.{Call, Clock, Context, Unique}
  alias Lockstep.Runtime.Log.Text

  @compile {:no_warn_undefined, [ExUnit.CaptureLog, Logger.Formatter]}

  @doc "`ExUnit.CaptureLog.capture_log/1`."
  @spec capture_log((... -> term())) :: String.t()
  def capture_log(fun), do: capture_log([], fun)

  @doc "`ExUnit.CaptureLog.capture_log/2`."
  @spec capture_log(keyword(), (... -> term())) :: String.t()
  def capture_log(opts, fun), do: opts |> with_log(fun) |> elem(1)

  @doc "`ExUnit.CaptureLog.with_log/1`."
  @spec with_log((... -> value)) :: {value, String.t()} when value: term()
  def with_log(fun), do: with_log([], fun)

  @doc "`ExUnit.CaptureLog.with_log/2`."
  @spec with_log(keyword(), (... -> value)) :: {value, String.t()} when value: term()
  def with_log(opts, fun) do
    case Context.get() do
      nil -> apply(ExUnit.CaptureLog, :with_log, [opts, fun])
      ctx -> inside(ctx, opts, fun)
    end
  end

  defp inside(ctx, opts, fun) do
    ref = Unique.make_ref()
    change(ctx, &[{ref, opts[:level]} | &1])

    try do
      {Call.apply(fun, []), ctx |> captured(ref) |> Enum.map_join(&line(&1, opts))}
    after
      change(ctx, &List.keydelete(&1, ref, 0))
    end
  end

  @doc "Adds a message to the captures that are open."
  @spec add(Context.t(), map()) :: :ok
  def add(ctx, event) do
    for {ref, level} <- open(ctx), level == nil or :logger.compare_levels(event.level, level) != :lt do
      [{_, events}] = :ets.lookup(ctx.store, {:captured, ref})
      :ets.insert(ctx.store, {{:captured, ref}, [event | events]})
    end

    :ok
  end

  defp captured(ctx, ref) do
    [{_, events}] = :ets.take(ctx.store, {:captured, ref})
    Enum.reverse(events)
  end

  defp open(ctx) do
    case :ets.lookup(ctx.store, :captures) do
      [{_, captures}] -> captures
      [] -> []
    end
  end

  defp change(ctx, fun) do
    before = open(ctx)
    captures = fun.(before)
    for {ref, _} <- captures -- before, do: :ets.insert(ctx.store, {{:captured, ref}, []})
    :ets.insert(ctx.store, {:captures, captures})
  end

  defp line(event, opts) do
    format = Logger.Formatter.compile(opts[:format])
    metadata = Enum.to_list(Map.take(event.meta, List.wrap(opts[:metadata])))

    format
    |> Logger.Formatter.format(event.level, Text.of(event), timestamp(event.meta.time), metadata)
    |> IO.chardata_to_string()
  end

  defp timestamp(micros) do
    {date, {hours, minutes, seconds}} = Clock.datetime(micros)
    {date, {hours, minutes, seconds, div(rem(micros, 1_000_000), 1000)}}
  end
end
