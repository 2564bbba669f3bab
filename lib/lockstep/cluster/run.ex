defmodule Lockstep.Cluster.Run do
  @moduledoc false
  # A function that is run on a node while the caller waits for its result. Neither its start nor its result goes through
  # the network.

  alias Lockstep.{Native, Runtime}
  alias Lockstep.Runtime.{Context, Mailbox, Message, Monitor, Spawning}

  @control :nonode@nohost

  @doc "The function's result. How it fails is how the caller does."
  @spec run(Context.t(), node(), (... -> result)) :: result when result: term()
  def run(ctx, node, fun), do: run(ctx, node, fun, false)

  @doc "Runs the function in a process that stays, so that what it has linked itself to does."
  @spec keep(Context.t(), node(), (... -> term())) :: :ok
  def keep(ctx, node, fun) do
    run(ctx, node, fun, true)
    :ok
  end

  defp run(%{node: here} = ctx, node, fun, stays?) when here in [node, @control] or node == @control do
    tag = Runtime.Unique.make_ref()
    {_pid, monitor} = Spawning.spawn_on(node, fn -> body(fun, {ctx.pid, tag}, stays?) end, monitor: {:DOWN, nil})
    await(tag, monitor)
  end

  # The result would have to pass the network: the control node reaches all.
  defp run(ctx, node, fun, stays?), do: run(ctx, @control, fn -> relay(node, fun, stays?) end, false)

  defp relay(node, fun, stays?) do
    become_hidden()
    run(Context.get(), node, fun, stays?)
  end

  defp body(fun, {caller, tag}, stays?) do
    outcome = outcome(fun)
    if stays?, do: become_hidden()
    Message.send(caller, {tag, outcome})
    if stays?, do: stay(outcome)
  end

  # The run does not wait for it, and reports do not show it.
  defp become_hidden do
    ctx = Context.get()
    Native.daemon(ctx.session, ctx.pid)
  end

  defp stay({:ok, _value}), do: Mailbox.await(fn _ -> :skip end, :infinity)
  defp stay({kind, reason, stack}), do: :erlang.raise(kind, reason, stack)

  defp outcome(fun) do
    {:ok, Runtime.Call.apply(fun, [])}
  catch
    kind, reason -> {kind, reason, Runtime.Stack.clean(__STACKTRACE__)}
  end

  defp await(tag, monitor) do
    case Mailbox.await(&answer(&1, tag, monitor), :infinity) do
      {:down, reason} ->
        exit(reason)

      outcome ->
        Monitor.demonitor(monitor, [:flush])
        result(outcome)
    end
  end

  defp answer({tag, outcome}, tag, _monitor), do: {:ok, outcome}
  defp answer({:DOWN, monitor, :process, _pid, reason}, _tag, monitor), do: {:ok, {:down, reason}}
  defp answer(_message, _tag, _monitor), do: :skip

  defp result({:ok, value}), do: value
  defp result({kind, reason, stack}), do: :erlang.raise(kind, reason, stack)
end
