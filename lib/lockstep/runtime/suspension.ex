defmodule Lockstep.Runtime.Suspension do
  @moduledoc false
  # Processes that keep others of their node from taking steps.

  alias Lockstep.Native
  alias Lockstep.Runtime.{Context, Message, Turn, WrongArgument}

  require Turn

  @doc "`:erlang.suspend_process/1`."
  @spec suspend_process(pid()) :: true
  def suspend_process(pid) do
    case Context.get() do
      ctx when ctx != nil and is_pid(pid) -> suspend(ctx, pid, [], [pid])
      _ -> :erlang.suspend_process(pid)
    end
  end

  @doc "`:erlang.suspend_process/2`."
  @spec suspend_process(pid(), [:unless_suspending | :asynchronous | {:asynchronous, term()}]) :: boolean()
  def suspend_process(pid, options) do
    case Context.get() do
      ctx when ctx != nil and is_pid(pid) and length(options) >= 0 ->
        if Enum.all?(options, &option?/1),
          do: suspend(ctx, pid, options, [pid, options]),
          else: WrongArgument.fail(:suspend_process, [pid, options], :badopt)

      _ ->
        :erlang.suspend_process(pid, options)
    end
  end

  defp option?({:asynchronous, _tag}), do: true
  defp option?(option), do: option in [:unless_suspending, :asynchronous]

  defp suspend(ctx, pid, options, arguments) do
    if pid == ctx.pid or not local?(ctx, pid), do: WrongArgument.fail(:suspend_process, arguments, :none)
    done = Turn.take(Native.suspend(ctx.session, ctx.id, pid, :unless_suspending in options))
    Turn.note(ctx, fn -> {"suspend #{inspect(pid)}", pid} end)
    answer(ctx, done, Enum.filter(options, &(&1 == :asynchronous or is_tuple(&1))), arguments)
  end

  defp local?(ctx, pid), do: Native.node_of(ctx.session, pid) == ctx.node

  defp answer(_ctx, {:refused, :noproc}, [], arguments), do: WrongArgument.fail(:suspend_process, arguments, :none)

  # Who does not wait is told of the outcome, if at all, by a message.
  defp answer(ctx, done, asynchronous, _arguments) do
    with {:asynchronous, tag} <- List.last(asynchronous) do
      Message.send(ctx.pid, {tag, if(is_boolean(done), do: :suspended, else: :badarg)})
    end

    done != false
  end

  @doc "`:erlang.resume_process/1`."
  @spec resume_process(pid()) :: true
  def resume_process(pid) do
    case Context.get() do
      ctx when ctx != nil and is_pid(pid) -> resume(ctx, pid)
      _ -> :erlang.resume_process(pid)
    end
  end

  defp resume(ctx, pid) do
    if not local?(ctx, pid), do: WrongArgument.fail(:resume_process, [pid], :none)
    done = Turn.take(Native.resume(ctx.session, ctx.id, pid))
    Turn.note(ctx, fn -> {"resume #{inspect(pid)}", pid} end)
    done == true or WrongArgument.fail(:resume_process, [pid], :none)
  end
end
