defmodule Lockstep.Cluster.Clocks do
  @moduledoc false
  # The system clock of a node: how far it is off, and how fast it goes wrong.

  import Lockstep.Cluster.Arguments

  alias Lockstep.Native
  alias Lockstep.Runtime.{Clock, Context, Message, Spawning, Turn}

  require Turn

  # Virtual ms: about thirty years.
  @limit 1_000_000_000_000
  @options [offset: nil, jump: 0, drift: nil]

  @doc "Sets the clock of a node."
  @spec set(Context.t(), node(), keyword(integer())) :: :ok
  def set(ctx, node, options) do
    %{offset: offset, jump: jump, drift: drift} = options!(options, @options, &fits?/1)
    if options == [], do: error({:not_options, options})
    Turn.take(Native.access(ctx.session, ctx.id, Clock.object(), true))
    now = Native.now(ctx.session)
    ahead = if(offset, do: offset * 1000, else: Clock.skew_at(ctx, node, now)) + jump * 1000
    :ets.insert(ctx.store, {{:clock, node}, ahead, drift || Clock.drift(ctx, node), now})
    Turn.note(ctx, fn -> {"set the clock of #{inspect(node)}: #{words(options)}", {node, options}} end)
    tell(ctx, node, Clock.time_offset_of(ctx, node))
  end

  defp fits?({:drift, ppm}), do: is_integer(ppm) and abs(ppm) < 1_000_000
  defp fits?({_offset_or_jump, ms}), do: is_integer(ms) and abs(ms) <= @limit

  defp words(options), do: Enum.map_join(options, ", ", &word/1)

  defp word({:drift, ppm}), do: "drift #{ppm} us a second"
  defp word({option, ms}), do: "#{option} #{ms} ms"

  # Erlang: monitor(time_offset, clock_service). It is the node itself that notices, whoever is cut off from it.
  defp tell(ctx, node, offset) do
    case :ets.match(ctx.store, {{:clock_monitor, node, :_}, :"$1", :"$2", :"$3"}) do
      [] -> :ok
      monitors -> tell_there(ctx, node, Enum.sort(monitors), offset)
    end
  end

  defp tell_there(ctx, node, monitors, offset) do
    body = fn ->
      for [pid, ref, tag] <- monitors, do: Message.send(pid, {tag, ref, :time_offset, :clock_service, offset})
    end

    Native.daemon(ctx.session, Spawning.spawn_on(node, body, []))
    :ok
  end
end
