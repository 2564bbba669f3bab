defmodule Lockstep.Runtime.Base do
  @moduledoc false
  # The bottom of every process of a run.

  alias Lockstep.{Instrument, Native}
  alias Lockstep.Runtime.{Context, Ending, Identity, Leader, Log, Stack, Turn}

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

  @doc "Goes on with `body` as if the caller had just been started: its stack, and all who would catch, are gone."
  @spec begin_anew((... -> term())) :: no_return()
  def begin_anew(body) do
    # With a message there, hibernation is over at once; what it does to the stack is what is wanted of it.
    send(self(), :"$lockstep_wake")
    :erlang.hibernate(__MODULE__, :awake, [body])
  end

  @doc false
  @spec awake((... -> term())) :: :ok
  def awake(body) do
    receive do
      :"$lockstep_wake" -> :ok
    end

    ctx = Context.get()
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
    :error, reason -> crashed({reason, Stack.clean(__STACKTRACE__)})
    :throw, value -> crashed({{:nocatch, value}, Stack.clean(__STACKTRACE__)})
  end

  defp crashed(reason) do
    Log.emulator(reason)
    reason
  end
end
