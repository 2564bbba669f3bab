defmodule Lockstep.Runtime.Subscriptions do
  @moduledoc false
  # `nodeup` and `nodedown` for who wants to hear of all nodes (`net_kernel:monitor_nodes/2`, OTP's kernel application).
  #
  # The core knows of a subscription which nodes it is for, and keeps what the messages have to look like as a number.

  import Bitwise

  alias Lockstep.Native
  alias Lockstep.Runtime.{Context, Turn}

  require Turn

  @list 1
  @map 2
  @connection_id 4
  @nodedown_reason 8
  @node_type 16
  @flags %{list: @list, connection_id: @connection_id, nodedown_reason: @nodedown_reason}
  @kinds %{visible: {true, false}, hidden: {false, true}, all: {true, true}}

  @doc "Subscribes the caller or takes all its subscriptions with these options back; how many there were."
  @spec set(Context.t(), map(), boolean()) :: non_neg_integer()
  def set(ctx, options, on?) do
    {shape, kinds} = read(options)
    count = Turn.take(Native.monitor_nodes(ctx.session, ctx.id, shape, kinds, on?))
    Turn.note(ctx, fn -> {"#{if on?, do: "watch", else: "unwatch"} all nodes", {options, on?}} end)
    count
  end

  # A list that asks for nothing is no list: such messages have two elements. A map stays one. The VM, too, refuses what
  # it does not know.
  defp read(%{list: true} = options) when map_size(options) == 1, do: {0, @kinds.visible}
  defp read(options), do: Enum.reduce(options, {base(options), @kinds.visible}, &read/2)

  defp base(%{list: true}), do: 0
  defp base(_options), do: @map

  defp read({:node_type, type}, {shape, _kinds}) when is_map_key(@kinds, type),
    do: {shape ||| @node_type, Map.fetch!(@kinds, type)}

  defp read({option, true}, {shape, kinds}) when is_map_key(@flags, option), do: {shape ||| @flags[option], kinds}
  defp read({option, false}, acc) when is_map_key(@flags, option), do: acc
  defp read(_option, _acc), do: :erlang.error(:badarg)

  @doc "The message of an event, as the subscription wants it."
  @spec message(tuple()) :: tuple()
  def message({:node, node, reason, connection, hidden?, shape}) do
    name = if reason, do: :nodedown, else: :nodeup

    details =
      for {bit, detail} <- [
            {@connection_id, {:connection_id, connection}},
            {@nodedown_reason, reason && {:nodedown_reason, reason}},
            {@node_type, {:node_type, if(hidden?, do: :hidden, else: :visible)}}
          ],
          detail && (shape &&& bit) != 0,
          do: detail

    cond do
      (shape &&& @map) != 0 -> {name, node, Map.new(details)}
      (shape &&& @list) != 0 -> {name, node, details}
      true -> {name, node}
    end
  end
end
