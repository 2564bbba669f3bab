defmodule Lockstep.Runtime.Process do
  @moduledoc false
  # Processes: their links, their signals, their dictionaries.

  import Kernel, except: [self: 0]

  alias Lockstep.Native
  alias Lockstep.Runtime.{Base, Call, Context, Ending, Information, Mailbox, Message, Turn}

  @doc "`:erlang.self/0`."
  @spec self() :: pid()
  def self do
    case Context.get() do
      nil -> :erlang.self()
      ctx -> ctx.pid
    end
  end

  @doc "`:erlang.exit/2`."
  @spec exit(pid(), term()) :: true
  def exit(pid, reason) do
    case Context.get() do
      nil -> :erlang.exit(pid, reason)
      ctx when is_pid(pid) -> signal(ctx, pid, reason)
      _ -> :erlang.error(:badarg)
    end
  end

  defp signal(ctx, pid, reason) do
    class = if reason == :kill, do: :kill, else: Ending.class(reason)

    case Turn.take(Native.signal(ctx.session, ctx.id, pid, class)) do
      {:sent, real, id} -> send(real, {:"$lockstep_exit", id, ctx.pid, reason})
      :ok -> :ok
    end

    Turn.note(ctx, fn -> {"exit #{inspect(pid)}, #{inspect(reason)}", {pid, reason}} end)
    # A signal to oneself has taken effect before exit/2 returns.
    if pid == ctx.pid, do: Turn.take(Native.yield(ctx.session, ctx.id))
    true
  end

  @doc "`:erlang.link/1`."
  @spec link(pid()) :: true
  def link(pid) do
    case Context.get() do
      nil -> :erlang.link(pid)
      ctx -> linked(ctx, pid, Turn.take(Native.link(ctx.session, ctx.id, pid)))
    end
  end

  defp linked(_ctx, _pid, {:refused, :noproc}), do: :erlang.error(:noproc)

  defp linked(ctx, pid, true) do
    Turn.note(ctx, fn -> {"link #{inspect(pid)}", pid} end)
    true
  end

  @doc "`:erlang.unlink/1`."
  @spec unlink(pid()) :: true
  def unlink(pid) do
    case Context.get() do
      nil ->
        :erlang.unlink(pid)

      ctx ->
        Turn.take(Native.unlink(ctx.session, ctx.id, pid))
        Turn.note(ctx, fn -> {"unlink #{inspect(pid)}", pid} end)
        true
    end
  end

  @doc "`:erlang.is_process_alive/1`."
  @spec is_process_alive(pid()) :: boolean()
  def is_process_alive(pid) do
    case Context.get() do
      nil ->
        :erlang.is_process_alive(pid)

      ctx ->
        Information.look(ctx, pid)
        alive? = Native.alive(ctx.session, pid)
        Turn.note(ctx, fn -> {"alive? #{inspect(pid)}: #{alive?}", {pid, alive?}} end)
        alive?
    end
  end

  @doc "`:erlang.processes/0`: the living processes of the caller's node."
  @spec processes() :: [pid()]
  def processes do
    case Context.get() do
      nil -> :erlang.processes()
      ctx -> Native.living(ctx.session, ctx.pid)
    end
  end

  defdelegate process_info(pid), to: Information
  defdelegate process_info(pid, items), to: Information

  @doc "`:erlang.hibernate/3`: forgets the stack, waits for a message, then goes on in the given function."
  @spec hibernate(module(), atom(), [term()]) :: no_return()
  def hibernate(module, function, args) do
    cond do
      not Context.inside?() ->
        :erlang.hibernate(module, function, args)

      is_atom(module) and is_atom(function) and is_list(args) ->
        Base.begin_anew(fn -> wake(module, function, args) end)

      true ->
        :erlang.error(:badarg)
    end
  end

  defp wake(module, function, args) do
    if Mailbox.peek() == false, do: Mailbox.wait(:infinity)
    Call.apply(module, function, args)
  end

  @doc "`:erlang.get/0`, without our own keys."
  @spec get() :: [{term(), term()}]
  def get, do: Context.visible(:erlang.get())

  @doc "`:erlang.get_keys/0`, without our own."
  @spec get_keys() :: [term()]
  def get_keys, do: Enum.map(get(), &elem(&1, 0))

  @doc "`:erlang.get_keys/1`, without our own."
  @spec get_keys(term()) :: [term()]
  def get_keys(value), do: for({key, ^value} <- get(), do: key)

  @doc "`:erlang.erase/0`, without our own keys."
  @spec erase() :: [{term(), term()}]
  def erase do
    entries = get()
    Enum.each(entries, fn {key, _} -> :erlang.erase(key) end)
    entries
  end

  @doc "`:erlang.yield/0`."
  @spec yield() :: true
  def yield do
    case Context.get() do
      nil ->
        :erlang.yield()

      ctx ->
        Turn.take(Native.yield(ctx.session, ctx.id))
        true
    end
  end

  @doc "`:erlang.processes_iterator/0`; ours is a list."
  @spec processes_iterator() :: [pid()]
  def processes_iterator do
    if Context.inside?(), do: processes(), else: apply(:erlang, :processes_iterator, [])
  end

  @doc "`:erlang.processes_next/1`."
  @spec processes_next(term()) :: {pid(), term()} | :none
  def processes_next([pid | pids]), do: {pid, pids}
  def processes_next([]), do: :none
  def processes_next(iterator), do: apply(:erlang, :processes_next, [iterator])

  @doc "`:erlang.garbage_collect/0`."
  @spec garbage_collect() :: true
  def garbage_collect, do: :erlang.garbage_collect()

  @doc "`:erlang.garbage_collect/1`."
  @spec garbage_collect(pid()) :: boolean()
  def garbage_collect(pid) do
    case Context.get() do
      nil -> :erlang.garbage_collect(pid)
      _ -> is_process_alive(pid)
    end
  end

  @doc "`:erlang.garbage_collect/2`."
  @spec garbage_collect(pid(), keyword()) :: boolean() | :async
  def garbage_collect(pid, options) do
    case Context.get() do
      nil -> :erlang.garbage_collect(pid, options)
      ctx -> collect(ctx, pid, options, Keyword.keyword?(options))
    end
  end

  defp collect(ctx, pid, options, true) do
    alive? = is_process_alive(pid)

    case Keyword.fetch(options, :async) do
      {:ok, id} ->
        Message.send(ctx.pid, {:garbage_collect, id, alive?})
        :async

      :error ->
        alive?
    end
  end

  defp collect(_ctx, _pid, _options, false), do: :erlang.error(:badarg)
end
