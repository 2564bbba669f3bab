defmodule Lockstep.Runtime.Flags do
  @moduledoc false
  # Process flags.

  alias Lockstep.Native
  alias Lockstep.Runtime.{Context, Information, Turn}

  @error_handler :"$lockstep_error_handler"

  @doc "`:erlang.process_flag/2`."
  @spec process_flag(atom(), term()) :: term()
  def process_flag(flag, value) do
    case Context.get() do
      nil -> :erlang.process_flag(flag, value)
      ctx -> set(ctx, flag, value)
    end
  end

  defp set(ctx, :trap_exit, value) when is_boolean(value) do
    before = Turn.take(Native.trap_exit(ctx.session, ctx.id, value))
    Turn.note(ctx, fn -> {"trap_exit #{value}", value} end)
    before
  end

  # The real one is what loads guests.
  defp set(_ctx, :error_handler, module) when is_atom(module) do
    before = error_handler(:erlang.get())
    :erlang.put(@error_handler, module)
    before
  end

  # Where it runs is the run's own affair, and nothing to see.
  defp set(_ctx, :scheduler, number) when is_integer(number), do: 0

  # The others change how fast a process runs, and nothing that a program can see. Of a wrong value the VM says so.
  defp set(_ctx, flag, value), do: :erlang.process_flag(flag, value)

  @doc "The error handler that a process with this dictionary has set."
  @spec error_handler([{term(), term()}]) :: module()
  def error_handler(dictionary), do: List.keyfind(dictionary, @error_handler, 0, {nil, :error_handler}) |> elem(1)

  @doc "`:erlang.process_flag/3`. There is one such flag, for debugging the VM; it is accepted and has no effect."
  @spec process_flag(pid(), atom(), term()) :: term()
  def process_flag(pid, flag, value) do
    case Context.get() do
      nil -> :erlang.process_flag(pid, flag, value)
      ctx -> set_of(ctx, pid, flag, value)
    end
  end

  defp set_of(ctx, pid, :save_calls, count) when is_integer(count) and count >= 0 do
    Information.look(ctx, pid)
    if Native.alive(ctx.session, pid), do: 0, else: :erlang.error(:badarg)
  end

  defp set_of(_ctx, _pid, _flag, _value), do: :erlang.error(:badarg)
end
