defmodule Lockstep.Runtime.Base do
  @moduledoc false
  # The bottom of every process of a run.

  alias Lockstep.{Instrument, Native}
  alias Lockstep.Runtime.{Context, Ending, Identity, Leader, Stack, Turn}

  @doc "Starts the real process for process `id` on `node`; it waits for its first turn."
  @spec spawn(Context.t(), non_neg_integer(), node(), (... -> term())) :: pid()
  def spawn(parent, id, node, body) do
    pid = Identity.pid(id, node_number(parent, node))
    context = %{parent | id: id, pid: pid, node: node}

    # All processes of a run share a scheduler: only one of them runs at a time, and so it is never woken on another core.
    real = :erlang.spawn_opt(__MODULE__, :enter, [context, body], [{:scheduler, parent.scheduler}])
    :ok = Native.born(parent.session, id, pid, real)
    if id > 0, do: Leader.inherit(parent, id)
    pid
  end

  defp node_number(parent, node) do
    Enum.find_index(Native.nodes(parent.session), fn {name, _up?} -> name == node end)
  end

  @doc false
  @spec enter(Context.t(), (... -> term())) :: :ok
  def enter(ctx, body) do
    # The warden hears of every death, and takes all with it if it dies itself.
    Process.link(ctx.warden)
    Process.flag(:error_handler, Instrument.Handler)
    Context.put(ctx)
    Turn.wait()
    Context.seed(Native.random(ctx.session))
    Ending.finish(ctx, run(ctx, body))
  end

  defp run(%{id: 0} = ctx, body) do
    result =
      try do
        {:ok, body.()}
      catch
        kind, reason -> {:crash, kind, reason, Stack.clean(__STACKTRACE__)}
      end

    send(ctx.warden, {:"$lockstep_main", result})
    if match?({:ok, _}, result), do: :normal, else: :shutdown
  end

  # The reasons are those with which the VM ends a process (Erlang Reference Manual, Errors, "Exit Reasons").
  defp run(_ctx, body) do
    body.()
    :normal
  catch
    :exit, reason -> Stack.clean_reason(reason)
    :error, reason -> {reason, Stack.clean(__STACKTRACE__)}
    :throw, value -> {{:nocatch, value}, Stack.clean(__STACKTRACE__)}
  end
end
