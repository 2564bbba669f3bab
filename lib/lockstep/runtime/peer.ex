defmodule Lockstep.Runtime.Peer do
  @moduledoc false
  # `:peer` (stdlib): nodes that a process of the caller's node controls.
  #
  # The process is a gen_server, OTP's own as a guest, with our callbacks (`Lockstep.Runtime.Peer.Server`).

  alias Lockstep.Runtime.{Booting, Call, Context, Mailbox, Monitor, Unique}
  alias Lockstep.Runtime.Peer.{Options, Server}

  @call_timeout 5_000

  @doc "`:peer.random_name/0`."
  @spec random_name() :: charlist()
  def random_name, do: random_name(~c"peer")

  @doc "`:peer.random_name/1`."
  @spec random_name(charlist() | atom()) :: charlist()
  def random_name(prefix) do
    inside(:random_name, [prefix], fn _ctx -> ~c"#{prefix}-#{Unique.unique_integer([:positive])}-1" end)
  end

  @doc "`:peer.start_link/0`."
  @spec start_link() :: {:ok, pid(), node()}
  def start_link, do: inside(:start_link, [], fn _ctx -> start_link(%{name: random_name()}) end)

  @doc "`:peer.start/1`."
  @spec start(map()) :: {:ok, pid()} | {:ok, pid(), node()} | {:error, term()}
  def start(options), do: inside(:start, [options], &boot(&1, :start, options))

  @doc "`:peer.start_link/1`."
  @spec start_link(map()) :: {:ok, pid()} | {:ok, pid(), node()} | {:error, term()}
  def start_link(options), do: inside(:start_link, [options], &boot(&1, :start_link, options))

  @doc "`:peer.stop/1`."
  @spec stop(pid()) :: :ok
  def stop(peer), do: inside(:stop, [peer], fn _ctx -> Call.apply(:gen_server, :stop, [peer]) end)

  @doc "`:peer.get_state/1`."
  @spec get_state(pid()) :: :booting | :running | {:down, term()}
  def get_state(peer),
    do: inside(:get_state, [peer], fn _ctx -> Call.apply(:gen_server, :call, [peer, :get_state]) end)

  @doc "`:peer.call/4`."
  @spec call(pid(), module(), atom(), [term()]) :: term()
  def call(peer, module, function, args) do
    inside(:call, [peer, module, function, args], fn _ctx -> ask(peer, {module, function, args}, @call_timeout) end)
  end

  @doc "`:peer.call/5`: through the connection that the control process has of its own."
  @spec call(pid(), module(), atom(), [term()], timeout()) :: term()
  def call(peer, module, function, args, timeout) do
    inside(:call, [peer, module, function, args, timeout], fn _ctx -> ask(peer, {module, function, args}, timeout) end)
  end

  defp ask(peer, {module, function, args}, timeout) do
    case Call.apply(:gen_server, :call, [peer, {:call, module, function, args}, timeout]) do
      {:ok, value} -> value
      {:error, {reason, stack}} when is_list(stack) -> :erlang.raise(:error, reason, stack)
      {:error, reason} -> :erlang.error(reason)
      {class, {reason, stack}} -> :erlang.raise(class, reason, stack)
    end
  end

  @doc "`:peer.cast/4`."
  @spec cast(pid(), module(), atom(), [term()]) :: :ok
  def cast(peer, module, function, args) do
    inside(:cast, [peer, module, function, args], fn _ctx ->
      Call.apply(:gen_server, :cast, [peer, {:cast, module, function, args}])
    end)
  end

  @doc "`:peer.send/3`."
  @spec send(pid(), pid() | atom(), term()) :: :ok
  def send(peer, to, message) do
    inside(:send, [peer, to, message], fn _ctx -> Call.apply(:gen_server, :cast, [peer, {:send, to, message}]) end)
  end

  defp inside(function, args, fun) do
    case Context.get() do
      nil -> apply(:peer, function, args)
      ctx -> fun.(ctx)
    end
  end

  defp boot(ctx, function, options) do
    options = Options.read!(options)
    node = Booting.name(options.name, options.host || Booting.host(ctx.node))
    {notify, ref} = notified(ctx, options.wait)

    case Call.apply(:gen_server, function, [Server, {node, options, notify}, []]) do
      {:ok, peer} when ref != nil -> await(peer, ref, elem(options.wait, 1))
      {:ok, peer} when options.host != nil -> {:ok, peer, node}
      other -> other
    end
  end

  defp notified(_ctx, {:notify, pid, tag}), do: {{pid, tag}, nil}
  defp notified(_ctx, :no), do: {nil, nil}

  defp notified(ctx, {:until, _timeout}) do
    ref = Unique.make_ref()
    {{ctx.pid, ref}, ref}
  end

  defp await(peer, ref, timeout) do
    monitor = Monitor.monitor(:process, peer)
    answer = Mailbox.await(&booted(&1, peer, ref, monitor), timeout)
    Monitor.demonitor(monitor, [:flush])
    outcome(peer, answer)
  end

  defp booted({ref, {:started, node, peer}}, peer, ref, _monitor), do: {:ok, {:started, node}}
  defp booted({ref, {:boot_failed, reason, peer}}, peer, ref, _monitor), do: {:ok, {:failed, {:boot_failed, reason}}}
  defp booted({:DOWN, monitor, _, _, reason}, _peer, _ref, monitor), do: {:ok, {:failed, reason}}
  defp booted(_message, _peer, _ref, _monitor), do: :skip

  defp outcome(peer, {:started, node}), do: {:ok, peer, node}
  defp outcome(_peer, {:failed, reason}), do: exit(reason)

  defp outcome(peer, :timeout) do
    Call.apply(:gen_server, :stop, [peer])
    exit(:timeout)
  end
end
