defmodule Lockstep.Runtime.Flags do
  @moduledoc false
  # Process flags. Those that would change how the run itself works are only remembered.

  alias Lockstep.Native
  alias Lockstep.Runtime.{Context, Escape, Information, Subscriptions, Turn}

  require Turn

  @flags :"$lockstep_flags"
  @defaults %{error_handler: :error_handler, sensitive: false}

  # Flags that change how a process is run and nothing else that a program can see.
  @harmless [
    :priority,
    :message_queue_data,
    :min_heap_size,
    :min_bin_vheap_size,
    :max_heap_size,
    :fullsweep_after,
    :async_dist
  ]
  # The VM's own business.
  @escapes [:scheduler]

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

  defp set(_ctx, :error_handler, module) when is_atom(module), do: remember(:error_handler, module)
  defp set(_ctx, :sensitive, value) when is_boolean(value), do: remember(:sensitive, value)
  defp set(ctx, :save_calls, count) when count in 0..10_000, do: save_calls(ctx, ctx.id, count)
  defp set(_ctx, flag, value) when flag in @harmless, do: :erlang.process_flag(flag, value)
  defp set(_ctx, flag, value) when flag in @escapes, do: Escape.call(:erlang, :process_flag, [flag, value], nil)
  defp set(ctx, :monitor_nodes, on?) when is_boolean(on?), do: Subscriptions.set(ctx, %{list: true}, on?)

  defp set(ctx, {:monitor_nodes, options}, on?) when is_map(options) and is_boolean(on?),
    do: Subscriptions.set(ctx, options, on?)

  # No flag, or no value for it: the VM says so.
  defp set(_ctx, flag, value), do: :erlang.process_flag(flag, value)

  defp remember(flag, value) do
    flags = all(:erlang.get())
    :erlang.put(@flags, %{flags | flag => value})
    flags[flag]
  end

  @doc "`:erlang.process_flag/3`."
  @spec process_flag(pid(), atom(), term()) :: term()
  def process_flag(pid, flag, value) do
    with ctx when ctx != nil and is_pid(pid) and flag == :save_calls and value in 0..10_000 <- Context.get(),
         :ok <- Information.look(ctx, pid),
         true <- Native.alive(ctx.session, pid) do
      save_calls(ctx, Native.id(ctx.session, pid), value)
    else
      _ -> :erlang.process_flag(pid, flag, value)
    end
  end

  # The calls themselves are not saved: who asks for them is told that this is not simulated.
  defp save_calls(ctx, id, count) do
    before = saved_calls(ctx, id)
    :ets.insert(ctx.store, {{:save_calls, id}, count})
    before
  end

  @doc "How many calls the process wants saved."
  @spec saved_calls(Context.t(), non_neg_integer()) :: non_neg_integer()
  def saved_calls(ctx, id) do
    case :ets.lookup(ctx.store, {:save_calls, id}) do
      [{_, count}] -> count
      [] -> 0
    end
  end

  @doc "The flags that are only remembered, from a process dictionary."
  @spec all([{term(), term()}]) :: %{error_handler: module(), sensitive: boolean()}
  def all(dictionary), do: dictionary |> List.keyfind(@flags, 0, {@flags, @defaults}) |> elem(1)

  @doc "The error handler that the caller has set."
  @spec error_handler() :: module()
  def error_handler, do: all(:erlang.get()).error_handler
end
