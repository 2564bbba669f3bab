defmodule Lockstep.Cluster.Clocks do
  @moduledoc false
  # The system clock of a node: how far it is off, and how fast it goes wrong.

  import Lockstep.Cluster.Arguments

  alias Lockstep.Native
  alias Lockstep.Runtime.{Clock, Context, Message, Turn}

  @limit 1_000_000_000_000

  @doc "Sets the clock of a node."
  @spec set(Context.t(), node(), keyword(integer())) :: :ok
  def set(ctx, node, options) do
    unless Keyword.keyword?(options) and options != [], do: error({:not_options, options})
    Enum.each(options, &check/1)
    Turn.take(Native.access(ctx.session, ctx.id, Clock.object(), true))
    now = Native.now(ctx.session)
    before = Clock.skew_at(ctx, node, now)
    offset = Keyword.get(options, :offset, div(before, 1000)) + Keyword.get(options, :jump, 0)

    micros =
      if Keyword.has_key?(options, :offset), do: offset * 1000, else: before + Keyword.get(options, :jump, 0) * 1000

    drift = Keyword.get(options, :drift, Clock.drift(ctx, node))
    :ets.insert(ctx.store, {{:clock, node}, micros, drift, now})
    Turn.note(ctx, fn -> {"set the clock of #{inspect(node)}: #{inspect(options)}", {node, options}} end)
    tell(ctx, node, Clock.time_offset_of(ctx, node))
  end

  defp check({option, value}) when option in [:offset, :jump] and is_integer(value) and abs(value) <= @limit, do: :ok
  defp check({:drift, value}) when is_integer(value) and abs(value) < 1_000_000, do: :ok
  defp check({option, _} = pair) when option in [:offset, :jump, :drift], do: error({:bad_option, pair})
  defp check({option, _}), do: error({:unknown_option, option, [:offset, :jump, :drift]})

  # Erlang: monitor(time_offset, clock_service).
  defp tell(ctx, node, offset) do
    for [pid, ref, tag] <- :ets.match(ctx.store, {{:clock_monitor, node, :_}, :"$1", :"$2", :"$3"}) |> Enum.sort() do
      Message.send(pid, {tag, ref, :time_offset, :clock_service, offset})
    end

    :ok
  end
end
