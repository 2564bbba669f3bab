defmodule Lockstep.Runtime.Process do
  @moduledoc false
  # Processes: their links, their signals, their dictionaries.

  import Kernel, except: [self: 0]

  alias Lockstep.Native
  alias Lockstep.Runtime.{Base, Context, Ending, Escape, Flow, Information, Message, Turn}

  require Turn

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
      _ -> port_or_wrong(:exit, [pid, reason])
    end
  end

  # What is neither a process nor a port the VM refuses.
  defp port_or_wrong(function, [port | _] = arguments) when is_port(port) do
    Escape.call(:erlang, function, arguments, nil)
  end

  defp port_or_wrong(function, arguments), do: apply(:erlang, function, arguments)

  defp signal(ctx, pid, reason) do
    class = if reason == :kill, do: :kill, else: Ending.class(reason)

    case Native.signal(ctx.session, ctx.id, pid, class) do
      {:error, :foreign} -> Information.look(ctx, pid)
      next -> sent(ctx, Turn.take(next), reason)
    end

    Turn.note(ctx, fn -> {"exit #{inspect(pid)}, #{inspect(reason)}", {pid, reason}} end)
    # A signal to oneself has taken effect before exit/2 returns.
    if pid == ctx.pid, do: Turn.take(Native.yield(ctx.session, ctx.id))
    true
  end

  defp sent(ctx, {:stuck, grant}, reason) do
    sent(ctx, grant, reason)
    Flow.weigh(ctx, reason, true)
  end

  defp sent(ctx, {:sent, real, id}, reason), do: send(real, {:"$lockstep_exit", id, ctx.pid, reason})
  defp sent(_ctx, :ok, _reason), do: :ok

  @doc "`:erlang.link/1`."
  @spec link(pid()) :: true
  def link(pid) do
    case Context.get() do
      nil -> :erlang.link(pid)
      ctx when is_pid(pid) -> link_with(ctx, pid, Native.link(ctx.session, ctx.id, pid))
      _ -> port_or_wrong(:link, [pid])
    end
  end

  defp link_with(ctx, pid, {:error, :foreign}) do
    {_links, trap_exit?, _name, _queued} = Native.info(ctx.session, ctx.pid)
    Information.look(ctx, pid)
    if trap_exit?, do: told(ctx, pid), else: :erlang.link(pid)
  end

  defp link_with(ctx, pid, next), do: linked(ctx, pid, Flow.take(ctx, next))

  # Who traps exits learns by a signal that there is nobody.
  defp told(ctx, pid) do
    Message.send(ctx.pid, {:EXIT, pid, :noproc})
    true
  end

  # To the VM itself a virtual pid is that of a dead process: it raises what it has to.
  defp linked(_ctx, pid, {:refused, :noproc}), do: :erlang.link(pid)

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

      ctx when is_pid(pid) ->
        unlink_from(ctx, pid, Native.unlink(ctx.session, ctx.id, pid))

      _ ->
        port_or_wrong(:unlink, [pid])
    end
  end

  defp unlink_from(ctx, pid, {:error, :foreign}), do: Information.look(ctx, pid) == :ok

  defp unlink_from(ctx, pid, next) do
    Flow.take(ctx, next)
    Turn.note(ctx, fn -> {"unlink #{inspect(pid)}", pid} end)
    true
  end

  @doc "`:erlang.is_process_alive/1`."
  @spec is_process_alive(pid()) :: boolean()
  def is_process_alive(pid) do
    case Context.get() do
      ctx when ctx != nil and is_pid(pid) -> alive?(ctx, pid)
      _ -> :erlang.is_process_alive(pid)
    end
  end

  defp alive?(ctx, pid) do
    Information.look(ctx, pid)
    alive? = Native.alive(ctx.session, pid)
    Turn.note(ctx, fn -> {"alive? #{inspect(pid)}: #{alive?}", {pid, alive?}} end)
    alive?
  end

  @doc "`:erlang.processes/0`: the living processes of the caller's node."
  @spec processes() :: [pid()]
  def processes do
    case Context.get() do
      nil ->
        :erlang.processes()

      ctx ->
        Turn.take(Native.look(ctx.session, ctx.id, nil))
        Turn.mark(ctx)
        Native.living(ctx.session, ctx.pid)
    end
  end

  @doc "`:erlang.processes_iterator/0`, of OTP 28."
  @spec processes_iterator() :: term()
  def processes_iterator do
    if Context.inside?(), do: processes(), else: apply(:erlang, :processes_iterator, [])
  end

  @doc "`:erlang.processes_next/1`, of OTP 28."
  @spec processes_next(term()) :: {pid(), term()} | :none
  def processes_next(iterator) do
    case {Context.inside?(), iterator} do
      {true, [pid | rest]} -> {pid, rest}
      {true, []} -> :none
      _ -> apply(:erlang, :processes_next, [iterator])
    end
  end

  @doc "`:erlang.hibernate/3`: waits for a message, then goes on in the given function, with nothing to return to."
  @spec hibernate(module(), atom(), [term()]) :: no_return()
  def hibernate(module, function, args) do
    case Context.inside?() do
      true when is_atom(module) and is_atom(function) and length(args) >= 0 -> Base.hibernate(module, function, args)
      _ -> :erlang.hibernate(module, function, args)
    end
  end

  @doc "`:erlang.hibernate/0`, of OTP 28: waits for a message, and goes on."
  @spec hibernate() :: :ok
  def hibernate do
    if Context.inside?(), do: Base.asleep(), else: apply(:erlang, :hibernate, [])
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
        Turn.mark(ctx)
        true
    end
  end

  @doc "`:erlang.garbage_collect/0`."
  @spec garbage_collect() :: true
  def garbage_collect, do: :erlang.garbage_collect()

  @doc "`:erlang.garbage_collect/1`."
  @spec garbage_collect(pid()) :: boolean()
  def garbage_collect(pid) do
    case Context.get() do
      ctx when ctx != nil and is_pid(pid) -> alive?(ctx, pid)
      _ -> :erlang.garbage_collect(pid)
    end
  end

  @doc "`:erlang.garbage_collect/2`."
  @spec garbage_collect(pid(), [{:async, term()} | {:type, :major | :minor}]) :: boolean() | :async
  def garbage_collect(pid, options) do
    with ctx when ctx != nil and is_pid(pid) and length(options) >= 0 <- Context.get(),
         true <- Enum.all?(options, &collection_option?/1) do
      collect(ctx, pid, Keyword.fetch(Enum.reverse(options), :async))
    else
      _ -> :erlang.garbage_collect(pid, options)
    end
  end

  defp collection_option?({:async, _id}), do: true
  defp collection_option?(option), do: option in [type: :major, type: :minor]

  defp collect(ctx, pid, :error), do: alive?(ctx, pid)

  defp collect(ctx, pid, {:ok, id}) do
    Message.send(ctx.pid, {:garbage_collect, id, alive?(ctx, pid)})
    :async
  end
end
