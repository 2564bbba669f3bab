defmodule Lockstep.Runtime.Base do
  @moduledoc false
  # The bottom of every process of a run.

  alias Lockstep.{Instrument, Native}
  alias Lockstep.Runtime.{Call, Context, Ending, Identity, Leader, Log, Mailbox, Stack, Turn}

  @wake :"$lockstep_wake"
  @from_fun {:erlang, :apply, 2}
  # In words. Most processes end before they have to be collected, if they begin with as much.
  @heap 987

  @doc """
  Starts the real process for process `id` on `node`; it waits for its first turn.

  `call` is what the program was told to start, and `settings` are the VM's own spawn options.
  """
  @spec spawn(Context.t(), non_neg_integer(), node(), (... -> term()), mfa(), [term()]) :: pid()
  def spawn(parent, id, node, body, call \\ @from_fun, settings \\ []) do
    number = node_number(parent, node)
    pid = Identity.pid(id, number)
    context = %{parent | id: id, pid: pid, node: node, node_number: number}

    # All processes of a run share a scheduler: only one of them runs at a time, and so it is never woken on another core.
    options = [{:scheduler, parent.scheduler} | if(settings == [], do: [min_heap_size: @heap], else: settings)]
    real = :erlang.spawn_opt(__MODULE__, :enter, [context, body, settings], options)
    :ok = Native.born(parent.session, id, pid, real)
    if parent.service?, do: Native.daemon(parent.session, pid)
    remember_birth(parent, id, node, call)
    if id > 0, do: Leader.inherit(parent, id)
    pid
  end

  # Most processes have nothing to remember but their parent, whose number says it all.
  defp remember_birth(%{id: id}, id, _node, _call), do: :ok

  defp remember_birth(parent, id, node, call) do
    origin = if parent.node == node, do: parent.pid, else: :undefined
    :ets.insert(parent.store, {{:born, id}, origin, call})
    :ok
  end

  @doc "Who started process `id`, if a process of its own node did, and with which call."
  @spec birth(Context.t(), non_neg_integer()) :: {pid() | :undefined, mfa()}
  def birth(ctx, id) do
    case :ets.lookup(ctx.store, {:born, id}) do
      [{_, parent, call}] -> {parent, call}
      [] -> {:undefined, @from_fun}
    end
  end

  @doc "Forgets what was remembered of process `id`, which ends."
  @spec bury(Context.t(), non_neg_integer()) :: :ok
  def bury(ctx, id) do
    for kind <- [:born, :leader, :save_calls], do: :ets.delete(ctx.store, {kind, id})
    :ok
  end

  defp node_number(%{node: node} = parent, node), do: parent.node_number

  defp node_number(parent, node) do
    # One that was never started will never tell of the process either.
    Enum.find_index(Native.nodes(parent.session), fn {name, _up?} -> name == node end) || 0
  end

  @doc false
  @spec enter(Context.t(), (... -> term()), [term()]) :: :ok
  def enter(ctx, body, settings) do
    # What it has it keeps, and the program is told of the size that it would have.
    if settings == [], do: Process.flag(:min_heap_size, elem(:erlang.system_info(:min_heap_size), 1))
    # The warden hears of every death, and takes all with it if it dies itself.
    Process.link(ctx.warden)
    Process.flag(:error_handler, Instrument.Handler)
    Context.put(ctx)
    Turn.wait()
    Ending.finish(ctx, run(ctx, body))
  end

  @doc "Drops the caller's stack with all that would catch or clean up, waits for a message, and goes on in a function."
  @spec hibernate(module(), atom(), [term()]) :: no_return()
  def hibernate(module, function, args) do
    # The VM's own way of doing it. A message of our own ends its wait at once: the program's are the core's affair.
    send(self(), @wake)
    :erlang.hibernate(__MODULE__, :awake, [module, function, args])
  end

  @doc false
  @spec awake(module(), atom(), [term()]) :: :ok
  def awake(module, function, args) do
    receive(do: (@wake -> :ok))

    Ending.finish(
      Context.get(),
      run(Context.get(), fn ->
        asleep()
        Call.apply(module, function, args)
      end)
    )
  end

  @doc "Waits until there is a message in the mailbox."
  @spec asleep() :: :ok
  def asleep do
    Mailbox.idle()
    # Not a tail call: the stack trace tells of it.
    :ok
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
