defmodule Lockstep.Runtime.Names do
  @moduledoc false
  # Registered names; each node has its own.

  alias Lockstep.Native
  alias Lockstep.Runtime.{Context, Escape, Services, Turn, WrongArgument}

  require Turn

  @doc "`:erlang.register/2`."
  @spec register(atom(), pid()) :: true
  def register(name, pid) do
    case Context.get() do
      nil ->
        :erlang.register(name, pid)

      ctx ->
        unless is_atom(name) and name != :undefined and is_pid(pid), do: wrong(:register, [name, pid])
        next = Native.register(ctx.session, ctx.id, name, pid)
        command(ctx, next, {:register, [name, pid]}, {name, pid})
    end
  end

  @doc "`:erlang.unregister/1`."
  @spec unregister(atom()) :: true
  def unregister(name) do
    case Context.get() do
      nil ->
        :erlang.unregister(name)

      ctx when is_atom(name) ->
        next = Native.unregister(ctx.session, ctx.id, name)
        command(ctx, next, {:unregister, [name]}, name)

      _ ->
        :erlang.unregister(name)
    end
  end

  @doc "`:erlang.whereis/1`."
  @spec whereis(atom()) :: pid() | :undefined
  def whereis(name) do
    case Context.get() do
      ctx when ctx == nil or not is_atom(name) ->
        :erlang.whereis(name)

      ctx ->
        Services.ensure(ctx, name)
        pid = Turn.take(Native.whereis(ctx.session, ctx.id, name)) || :undefined
        Turn.note(ctx, fn -> {"whereis #{inspect(name)}: #{inspect(pid)}", {name, pid}} end)
        pid
    end
  end

  @doc "`:erlang.registered/0`."
  @spec registered() :: [atom()]
  def registered do
    case Context.get() do
      nil ->
        :erlang.registered()

      ctx ->
        Turn.take(Native.look(ctx.session, ctx.id, nil))
        Turn.mark(ctx)
        Native.names(ctx.session, ctx.node)
    end
  end

  defp wrong(:register, [_name, port] = arguments) when is_port(port) do
    Escape.call(:erlang, :register, arguments, nil)
  end

  defp wrong(function, arguments), do: WrongArgument.fail(function, arguments, :none)

  defp command(ctx, next, {function, [name | _] = arguments}, term) do
    case Turn.take(next) do
      {:refused, _} ->
        Turn.note(ctx, fn -> {"#{function} #{inspect(name)} raises", term} end)
        wrong(function, arguments)

      true ->
        Turn.note(ctx, fn -> {"#{function} #{inspect(name)}", term} end)
        true
    end
  end
end
