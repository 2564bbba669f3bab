defmodule Lockstep.Runtime.Suspension do
  @moduledoc false
  # Suspending and resuming processes.

  alias Lockstep.Native
  alias Lockstep.Runtime.{Context, Message, Turn}

  @doc "`:erlang.suspend_process/1`."
  @spec suspend_process(pid()) :: true
  def suspend_process(pid), do: suspend_process(pid, [])

  @doc "`:erlang.suspend_process/2`."
  @spec suspend_process(pid(), [:unless_suspending | :asynchronous | {:asynchronous, term()}]) :: boolean()
  def suspend_process(pid, options) do
    case Context.get() do
      nil -> :erlang.suspend_process(pid, options)
      ctx -> if valid?(pid, options), do: suspend(ctx, pid, options), else: :erlang.error(:badarg)
    end
  end

  defp valid?(pid, options) do
    is_pid(pid) and is_list(options) and
      Enum.all?(options, &(&1 in [:unless_suspending, :asynchronous] or match?({:asynchronous, _}, &1)))
  end

  defp suspend(ctx, pid, options) do
    result = Turn.take(Native.suspend(ctx.session, ctx.id, pid, :unless_suspending in options))
    Turn.note(ctx, fn -> {"suspend #{inspect(pid)}", pid} end)
    asynchronous = List.keyfind(Enum.filter(options, &is_tuple/1), :asynchronous, 0)

    case {result, asynchronous} do
      {{:refused, _}, nil} -> if :asynchronous in options, do: true, else: :erlang.error(:badarg)
      {{:refused, _}, {_, tag}} -> tell(ctx, {tag, :exited})
      {done?, nil} -> done?
      {_done?, {_, tag}} -> tell(ctx, {tag, :suspended})
    end
  end

  defp tell(ctx, message) do
    Message.send(ctx.pid, message)
    true
  end

  @doc "`:erlang.resume_process/1`."
  @spec resume_process(pid()) :: true
  def resume_process(pid) do
    case Context.get() do
      nil -> :erlang.resume_process(pid)
      ctx when is_pid(pid) -> resumed(ctx, pid, Turn.take(Native.resume(ctx.session, ctx.id, pid)))
      _ -> :erlang.error(:badarg)
    end
  end

  defp resumed(_ctx, _pid, {:refused, _}), do: :erlang.error(:badarg)

  defp resumed(ctx, pid, true) do
    Turn.note(ctx, fn -> {"resume #{inspect(pid)}", pid} end)
    true
  end
end
