defmodule Lockstep.Runtime.Message do
  @moduledoc false
  # Sending.

  import Kernel, except: [send: 2]

  alias Lockstep.Native
  alias Lockstep.Runtime.{Context, Escape, Flow, Identity, Nodes, Services, Stranger, Turn, WrongArgument}

  require Turn

  @type destination :: pid() | reference() | atom() | {atom(), node()}

  @doc "`:erlang.send/2`."
  @spec send(destination(), message) :: message when message: term()
  def send(destination, message) do
    case Context.get() do
      nil -> :erlang.send(destination, message)
      ctx -> inside(ctx, destination, message)
    end
  end

  @doc "`:erlang.send/3`."
  @spec send(destination(), term(), [:noconnect | :nosuspend]) :: :ok | :noconnect | :nosuspend
  def send(destination, message, options) do
    case Context.get() do
      nil ->
        :erlang.send(destination, message, options)

      ctx ->
        unless options?(options), do: WrongArgument.fail(:send, [destination, message, options], :badopt)
        send_with(ctx, destination, message, options)
    end
  end

  defp options?(options) when length(options) >= 0, do: Enum.all?(options, &(&1 in [:noconnect, :nosuspend]))
  defp options?(_options), do: false

  defp send_with(ctx, destination, message, options) do
    suspend? = :nosuspend not in options

    cond do
      not suspend? and Nodes.busy?(ctx, node_of(ctx, destination)) -> :nosuspend
      :noconnect in options -> send_if_connected(ctx, destination, message, suspend?)
      true -> inside(ctx, destination, message, suspend?) && :ok
    end
  end

  # One step: the connection may be lost at any time.
  defp send_if_connected(ctx, destination, message, suspend?) do
    Services.ensure(ctx, destination)

    case announce(ctx, destination, message, &Native.send_if_connected/3) do
      {:refused, :node_down} ->
        Turn.note(ctx, fn -> {"send #{inspect(message)} to #{inspect(destination)} (not connected)", destination} end)
        :noconnect

      grant ->
        granted(grant, ctx, destination, message, suspend?)
        :ok
    end
  end

  defp node_of(ctx, pid) when is_pid(pid), do: Native.node_of(ctx.session, pid)
  defp node_of(ctx, {name, node}) when is_atom(name) and is_atom(node), do: Nodes.meant(ctx, node)
  defp node_of(ctx, _destination), do: ctx.node

  @doc "`:erlang.send_nosuspend/2`."
  @spec send_nosuspend(destination(), term()) :: boolean()
  def send_nosuspend(destination, message), do: send_nosuspend(destination, message, [])

  @doc "`:erlang.send_nosuspend/3`."
  @spec send_nosuspend(destination(), term(), [:noconnect]) :: boolean()
  def send_nosuspend(destination, message, options), do: send(destination, message, [:nosuspend | options]) == :ok

  defp inside(ctx, destination, message, suspend? \\ true) do
    Services.ensure(ctx, destination)

    ctx |> announce(destination, message, &Native.send/3) |> granted(ctx, destination, message, suspend?)
    message
  end

  defp announce(ctx, destination, message, send) do
    case send.(ctx.session, ctx.id, target(ctx, destination)) do
      {:error, :foreign} -> to_stranger(ctx, destination, message, send)
      next -> Turn.take(next)
    end
  end

  defp to_stranger(ctx, pid, message, send) do
    if Stranger.nobody?(pid) do
      Turn.take(send.(ctx.session, ctx.id, Stranger.nobody(ctx.node)))
    else
      Escape.call(:erlang, :send, [pid, message], nil)
      :escaped
    end
  end

  defp target(_ctx, ref) when is_reference(ref), do: Identity.number(ref)
  defp target(_ctx, destination) when is_pid(destination) or is_atom(destination), do: destination
  defp target(ctx, {name, node}) when is_atom(name) and is_atom(node), do: {name, Nodes.meant(ctx, node)}
  defp target(_ctx, _destination), do: :erlang.error(:badarg)

  defp granted({:refused, :bad_name}, _ctx, name, _message, _suspend?) when is_atom(name), do: :erlang.error(:badarg)

  defp granted(:escaped, _ctx, _destination, _message, _suspend?), do: :ok

  defp granted({:stuck, grant}, ctx, destination, message, suspend?) do
    granted(grant, ctx, destination, message, suspend?)
    Flow.weigh(ctx, message, suspend?)
  end

  defp granted(grant, ctx, destination, message, _suspend?) do
    case grant do
      {:sent, real, id} -> :erlang.send(real, {:"$lockstep", id, message})
      {:parked, id} -> :ets.insert(ctx.store, {id, message})
      _lost -> :lost
    end

    lost = if match?({kind, _, _} when kind == :sent, grant) or match?({:parked, _}, grant), do: "", else: " (lost)"
    Turn.note(ctx, fn -> {"send #{inspect(message)} to #{inspect(destination)}#{lost}", {destination, message}} end)
  end
end
