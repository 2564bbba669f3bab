defmodule Lockstep.Runtime.Connections do
  @moduledoc false
  # Connections between nodes as a program asks for them: the functions of `net_kernel` and their kin (OTP's kernel
  # application). The connections themselves are the core's.

  alias Lockstep.Native
  alias Lockstep.Runtime.{Context, Identity, Mailbox, Mesh, Nodes, Turn}

  require Turn

  @connected :"$lockstep_connected"
  # The core knows it by this name.
  @default_cookie :nocookie

  @doc "`:net_kernel.connect_node/1`."
  @spec connect_node(node()) :: boolean() | :ignored
  def connect_node(node) do
    case Context.get() do
      nil -> apply(:net_kernel, :connect_node, [node])
      ctx when is_atom(node) -> if Nodes.alive?(ctx), do: connect(ctx, node), else: :ignored
      _ -> :erlang.error(:badarg, [node])
    end
  end

  @doc "`:net_kernel.hidden_connect_node/1`. Whether a connection is hidden depends on its nodes here."
  @spec hidden_connect_node(node()) :: boolean() | :ignored
  def hidden_connect_node(node), do: connect_node(node)

  defp connect(ctx, node) do
    Mesh.ensure(ctx)
    {_ref, number} = Identity.new_ref(ctx)

    connected? =
      case Turn.take(Native.connect(ctx.session, ctx.id, node, number)) do
        :ok -> Mailbox.await(&outcome(&1, number), :infinity)
        known -> known
      end

    Turn.note(ctx, fn -> {"connect to #{inspect(node)}: #{connected?}", {node, connected?}} end)
    connected?
  end

  defp outcome({@connected, number, connected?}, number), do: {:ok, connected?}
  defp outcome(_message, _number), do: :skip

  @doc "The message by which the core tells the outcome of an attempt to connect."
  @spec answer(pos_integer(), boolean()) :: tuple()
  def answer(number, connected?), do: {@connected, number, connected?}

  @doc "`:erlang.disconnect_node/1`."
  @spec disconnect_node(node()) :: boolean() | :ignored
  def disconnect_node(node) do
    case Context.get() do
      nil -> :erlang.disconnect_node(node)
      ctx when is_atom(node) -> if Nodes.alive?(ctx), do: disconnect(ctx, node), else: :ignored
      _ -> :erlang.disconnect_node(node)
    end
  end

  defp disconnect(ctx, node) do
    Mesh.ensure(ctx)
    disconnected? = Turn.take(Native.disconnect(ctx.session, ctx.id, ctx.node, node))
    Turn.note(ctx, fn -> {"disconnect from #{inspect(node)}: #{disconnected?}", {node, disconnected?}} end)
    disconnected?
  end

  @doc "`:net_kernel.disconnect/1`."
  @spec disconnect(node()) :: boolean() | :ignored
  def disconnect(node), do: disconnect_node(node)

  @doc "`:net_kernel.async_disconnect/1`."
  @spec async_disconnect(node()) :: {:disconnect, node()}
  def async_disconnect(node) do
    disconnect_node(node)
    {:disconnect, node}
  end

  @doc "`:net_kernel.passive_cnct/1`."
  @spec passive_cnct(node()) :: boolean() | :ignored
  def passive_cnct(node), do: connect_node(node)

  @doc "`:net_kernel.allow/1`: which nodes may connect, besides those that may already."
  @spec allow([node()]) :: :ok | :error
  def allow(nodes) do
    case Context.get() do
      nil -> :net_kernel.allow(nodes)
      ctx -> if is_list(nodes) and Enum.all?(nodes, &is_atom/1), do: allow(ctx, nodes), else: :error
    end
  end

  defp allow(ctx, nodes) do
    configure(ctx, {:allow, nodes}, "allow #{inspect(nodes)}")
    :ets.insert(ctx.store, {{:allowed, ctx.node}, Enum.uniq(nodes ++ allowed_on(ctx))})
    :ok
  end

  @doc "`:net_kernel.allowed/0`."
  @spec allowed() :: {:ok, [node()]} | :ignored
  def allowed do
    case Context.get() do
      nil -> apply(:net_kernel, :allowed, [])
      ctx -> {:ok, allowed_on(ctx)}
    end
  end

  defp allowed_on(ctx), do: stored(ctx, {:allowed, ctx.node}, [])

  @doc "`:erlang.get_cookie/0`."
  @spec get_cookie() :: atom()
  def get_cookie do
    case Context.get() do
      nil -> :erlang.get_cookie()
      ctx -> cookie(ctx, ctx.node)
    end
  end

  @doc "The cookie of a node for all those it has no other for."
  @spec cookie(Context.t(), node()) :: atom()
  def cookie(ctx, node), do: stored(ctx, {:cookie, node}, @default_cookie)

  @doc "`:erlang.get_cookie/1`."
  @spec get_cookie(node()) :: atom()
  def get_cookie(node) do
    case Context.get() do
      nil -> apply(:erlang, :get_cookie, [node])
      %{node: ^node} -> get_cookie()
      ctx -> cookie(ctx, ctx.node, node)
    end
  end

  @doc "The cookie of a node for another."
  @spec cookie(Context.t(), node(), node()) :: atom()
  def cookie(ctx, node, other), do: stored(ctx, {:cookie, node, other}, cookie(ctx, node))

  @doc "`:erlang.set_cookie/1`."
  @spec set_cookie(atom()) :: true
  def set_cookie(cookie) do
    case Context.get() do
      nil -> apply(:erlang, :set_cookie, [cookie])
      ctx -> set_cookie(ctx.node, cookie)
    end
  end

  @doc "`:erlang.set_cookie/2`."
  @spec set_cookie(node(), atom()) :: true
  def set_cookie(node, cookie) do
    case Context.get() do
      ctx when ctx != nil and is_atom(node) and is_atom(cookie) -> set_cookie(ctx, node, cookie)
      _ -> :erlang.set_cookie(node, cookie)
    end
  end

  defp set_cookie(ctx, node, cookie) do
    if node == ctx.node do
      configure(ctx, {:cookie, cookie}, "set the cookie")
      :ets.insert(ctx.store, {{:cookie, node}, cookie})
    else
      configure(ctx, {:cookie_for, node, cookie}, "set the cookie for #{inspect(node)}")
      :ets.insert(ctx.store, {{:cookie, ctx.node, node}, cookie})
    end
  end

  @doc "`:net_kernel.get_net_ticktime/0`, in seconds."
  @spec get_net_ticktime() :: pos_integer() | :ignored
  def get_net_ticktime do
    case Context.get() do
      nil -> apply(:net_kernel, :get_net_ticktime, [])
      ctx -> stored(ctx, {:net_ticktime, ctx.node}, 60)
    end
  end

  @doc "`:net_kernel.set_net_ticktime/1`."
  @spec set_net_ticktime(pos_integer()) :: :unchanged | :change_initiated
  def set_net_ticktime(seconds), do: set_net_ticktime(seconds, 60)

  @doc "`:net_kernel.set_net_ticktime/2`. A simulated node changes at once."
  @spec set_net_ticktime(pos_integer(), non_neg_integer()) :: :unchanged | :change_initiated
  def set_net_ticktime(seconds, transition) do
    case Context.get() do
      nil ->
        apply(:net_kernel, :set_net_ticktime, [seconds, transition])

      ctx ->
        before = get_net_ticktime()
        :ets.insert(ctx.store, {{:net_ticktime, ctx.node}, seconds})
        configure(ctx, {:tick, seconds * 1_000_000, 4}, "set net_ticktime #{seconds} s")
        if before == seconds, do: :unchanged, else: :change_initiated
    end
  end

  @doc "`:net_kernel.longnames/0`."
  @spec longnames() :: boolean() | :ignored
  def longnames, do: if(Context.inside?(), do: false, else: apply(:net_kernel, :longnames, []))

  @doc "`:net_kernel.nodename/0`."
  @spec nodename() :: node() | :ignored
  def nodename, do: if(Context.inside?(), do: Nodes.node(), else: apply(:net_kernel, :nodename, []))

  @doc "Sets something of the caller's node."
  @spec configure(Context.t(), Native.setting(), String.t()) :: :ok
  def configure(ctx, setting, text) do
    Turn.take(Native.configure(ctx.session, ctx.id, ctx.node, setting))
    Turn.note(ctx, fn -> {text, setting} end)
  end

  defp stored(ctx, key, default) do
    case :ets.lookup(ctx.store, key) do
      [{_, value}] -> value
      [] -> default
    end
  end
end
