defmodule Lockstep.Runtime.Names do
  @moduledoc false
  # Registered names; each node has its own.

  alias Lockstep.Native
  alias Lockstep.Runtime.{Context, Services, Turn}

  @doc "`:erlang.register/2`."
  @spec register(atom(), pid()) :: true
  def register(name, pid) do
    case Context.get() do
      nil ->
        :erlang.register(name, pid)

      ctx ->
        unless valid?(name) and is_pid(pid), do: :erlang.error(:badarg)
        command(ctx, Native.register(ctx.session, ctx.id, name, pid), "register #{inspect(name)}", {name, pid})
    end
  end

  @doc "`:erlang.unregister/1`."
  @spec unregister(atom()) :: true
  def unregister(name) do
    case Context.get() do
      nil -> :erlang.unregister(name)
      ctx -> command(ctx, Native.unregister(ctx.session, ctx.id, name), "unregister #{inspect(name)}", name)
    end
  end

  @doc "`:erlang.whereis/1`."
  @spec whereis(atom()) :: pid() | :undefined
  def whereis(name) do
    case Context.get() do
      nil ->
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
      nil -> :erlang.registered()
      ctx -> Native.names(ctx.session, ctx.node)
    end
  end

  defp valid?(name), do: is_atom(name) and name not in [:undefined, nil, true, false]

  defp command(ctx, next, text, term) do
    case Turn.take(next) do
      {:refused, _} ->
        :erlang.error(:badarg)

      true ->
        Turn.note(ctx, fn -> {text, term} end)
        true
    end
  end
end
