defmodule Lockstep.Runtime.Peer.Server do
  @moduledoc false
  # The process that controls a peer: the callbacks of a gen_server.
  #
  # A peer that was asked for with a connection of its own (`connection:`) can be reached through that whatever becomes of
  # the connection between the nodes, and its end is noticed there.

  alias Lockstep.Cluster
  alias Lockstep.Runtime.{Booting, Call, Context, Flags, Message, Nodes, Spawning}

  @control :nonode@nohost

  defstruct [:node, :options, :notify, state: :booting]

  @doc false
  def init({node, options, notify}) do
    Flags.process_flag(:trap_exit, true)
    {:ok, %__MODULE__{node: node, options: options, notify: notify}, {:continue, :boot}}
  end

  @doc false
  def handle_continue(:boot, state) do
    if Booting.start(Context.get(), state.node, state.options.args), do: booted(state), else: not_booted(state)
  end

  # A peer does not outlive the process that controls it.
  defp booted(%{node: node} = state) do
    ctx = Context.get()
    if connected?(state), do: Cluster.monitor_node(node), else: Nodes.monitor_node(node, true)
    Booting.tie(ctx, node, ctx.pid)
    Booting.depend(ctx, node, ctx.node, if(connected?(state), do: :up, else: :connected))
    notify(state, {:started, node, ctx.pid})
    {:noreply, %{state | state: :running}}
  end

  # Without a connection of its own nobody hears that there is a node of this name already.
  defp not_booted(state) do
    reason = {:exit_status, 1}

    if connected?(state) do
      notify(state, {:boot_failed, reason, Context.get().pid})
      gone(reason, state)
    else
      {:noreply, state}
    end
  end

  defp notify(%{notify: {pid, tag}}, what), do: Message.send(pid, {tag, what})
  defp notify(_state, _what), do: :ok

  defp connected?(state), do: state.options.connection != nil

  @doc false
  def handle_call(:get_state, _from, state), do: {:reply, state.state, state}

  # The control node is never cut off: what goes through it goes there and back whatever the network does.
  def handle_call({:call, module, function, args}, from, %{node: node} = state) do
    if reachable?(state) do
      call = fn -> Cluster.run(node, fn -> Call.apply(module, function, args) end) end
      Spawning.spawn_on(@control, fn -> answer(from, call) end, [])
      {:noreply, state}
    else
      {:reply, {:error, :noconnection}, state}
    end
  end

  defp reachable?(state), do: connected?(state) and state.state == :running

  defp answer(from, fun) do
    Call.apply(:gen_server, :reply, [from, outcome(fun)])
  end

  defp outcome(fun) do
    {:ok, fun.()}
  catch
    class, reason -> {class, {reason, Lockstep.Runtime.Stack.clean(__STACKTRACE__)}}
  end

  @doc false
  def handle_cast({:cast, module, function, args}, state) do
    if reachable?(state), do: Spawning.spawn_on(state.node, fn -> Call.apply(module, function, args) end, [])
    {:noreply, state}
  end

  def handle_cast({:send, to, message}, %{node: node} = state) do
    to = if is_atom(to), do: {to, node}, else: to
    if reachable?(state), do: Spawning.spawn_on(node, fn -> Message.send(to, message) end, [])
    {:noreply, state}
  end

  @doc false
  def handle_info({:nodedown, node}, %{node: node} = state), do: gone(reason(state), state)
  def handle_info(_other, state), do: {:noreply, state}

  defp reason(%{options: %{connection: nil}, node: node}), do: {:nodedown, node}
  defp reason(%{options: %{connection: :standard_io}}), do: {:exit_status, 0}
  defp reason(_state), do: :tcp_closed

  defp gone(_reason, %{options: %{peer_down: :continue}, state: {:down, _first}} = state), do: {:noreply, state}
  defp gone(reason, %{options: %{peer_down: :continue}} = state), do: {:noreply, %{state | state: {:down, reason}}}
  defp gone(reason, %{options: %{peer_down: :crash}} = state), do: {:stop, reason, %{state | state: {:down, reason}}}
  defp gone(reason, state), do: {:stop, :normal, %{state | state: {:down, reason}}}

  @doc false
  def terminate(_reason, %{state: :running} = state), do: shut_down(state.options.shutdown, state)
  def terminate(_reason, _state), do: :ok

  # Applications are stopped before the node is.
  defp shut_down(:stop, %{node: node} = state) do
    if Booting.up?(Context.get(), node), do: Cluster.run(node, &stop_applications/0)
    shut_down(:halt, state)
  end

  defp shut_down(_at_once, state), do: Booting.halt(Context.get(), state.node)

  defp stop_applications do
    for {app, _, _} <- Call.apply(:application, :which_applications, []) do
      unless app in [:kernel, :stdlib], do: Call.apply(:application, :stop, [app])
    end
  end
end
