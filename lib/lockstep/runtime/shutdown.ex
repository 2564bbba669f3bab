defmodule Lockstep.Runtime.Shutdown do
  @moduledoc false
  # The end of the VM as a program asks for it: that of its node. On the control node it would be that of the run.

  alias Lockstep.Native
  alias Lockstep.Runtime.{Call, Context, Escape, Services, Spawning, Turn}

  @control :nonode@nohost

  @doc "`:erlang.halt/0`."
  @spec halt() :: no_return()
  def halt, do: halted([])

  @doc "`:erlang.halt/1`."
  @spec halt(term()) :: no_return()
  def halt(status), do: halted([status])

  @doc "`:erlang.halt/2`."
  @spec halt(term(), list()) :: no_return()
  def halt(status, options), do: halted([status, options])

  # Others may not get all that was sent last.
  defp halted(args) do
    case Context.get() do
      ctx when ctx == nil or ctx.node == @control -> Escape.refuse(:erlang, :halt, args, nil)
      ctx -> ended(ctx, false)
    end
  end

  @doc "`:init.stop/0`."
  @spec stop() :: :ok
  def stop, do: stopped(:init, [])

  @doc "`:init.stop/1`."
  @spec stop(term()) :: :ok
  def stop(status), do: stopped(:init, [status])

  # In later Elixirs it has the whole VM wait in the end.
  @doc "`System.stop/0`."
  @spec stop_system() :: :ok
  def stop_system, do: stopped(System, [])

  @doc "`System.stop/1`."
  @spec stop_system(non_neg_integer() | binary()) :: :ok
  def stop_system(status) when is_integer(status) or is_binary(status), do: stopped(System, [status])
  def stop_system(wrong), do: System.stop(wrong)

  # The caller goes on until its application is stopped, or the node.
  defp stopped(module, args) do
    case Context.get() do
      ctx when ctx == nil or ctx.node == @control -> Escape.refuse(module, :stop, args, nil)
      ctx -> Native.daemon(ctx.session, Spawning.spawn(&shut_down/0)) && :ok
    end
  end

  # Applications are stopped in the opposite order of their start, as `init` does, and all that was sent arrives.
  defp shut_down do
    ctx = Context.get()

    if Services.running?(ctx, :application_controller) do
      for {application, _, _} <- Call.apply(:application, :which_applications, []),
          do: Call.apply(:application, :stop, [application])
    end

    ended(ctx, true)
  end

  defp ended(ctx, orderly?) do
    next = Native.crash_node(ctx.session, ctx.id, ctx.node, orderly?)
    # It ends with its node.
    Turn.take(next)
    Turn.take(Native.yield(ctx.session, ctx.id))
    exit(:killed)
  end
end
