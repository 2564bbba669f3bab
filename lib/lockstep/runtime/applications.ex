defmodule Lockstep.Runtime.Applications do
  @moduledoc false
  # Applications: every node has OTP's own application controller, so it starts and stops its own supervision trees.
  #
  # It is started when something is first asked of it (see `Services`), with the specifications and environments of all
  # applications that the VM has loaded. What a node's environment holds is the VM's until then, so reading it before
  # takes no step. Applications that the VM itself lives on count as started and bring no processes.

  alias Lockstep.Instrument
  alias Lockstep.Runtime.{Call, Context, Ets, Services}
  alias Lockstep.Runtime.Applications.Diskless

  # In the order of their dependencies. Every VM that runs Lockstep has them.
  @started [:kernel, :stdlib, :compiler, :crypto, :elixir, :logger]
  @of_the_vm @started ++ [:eex, :ex_unit, :hex, :iex, :inets, :lockstep, :mix, :os_mon, :runtime_tools, :sasl, :ssl]

  for {function, arities} <- [
        get_all_env: [0, 1],
        get_all_key: [0, 1],
        get_env: [1, 2, 3],
        get_key: [1, 2],
        loaded_applications: [0]
      ],
      arity <- arities do
    args = Macro.generate_arguments(arity, __MODULE__)

    @doc "`:application.#{function}/#{arity}`."
    def unquote(function)(unquote_splicing(args)), do: read(unquote(function), unquote(args))
  end

  @doc "`:application.get_application/0`."
  @spec get_application() :: {:ok, atom()} | :undefined
  def get_application, do: get_application(Lockstep.Runtime.Process.self())

  @doc "`:application.get_application/1`: a process belongs to the application whose master leads its group."
  @spec get_application(pid() | module()) :: {:ok, atom()} | :undefined
  def get_application(pid_or_module) do
    case Context.get() do
      ctx when ctx != nil and is_pid(pid_or_module) ->
        if controlled?(ctx), do: guest(:get_application, [pid_or_module]), else: :undefined

      _ ->
        read(:get_application, [pid_or_module])
    end
  end

  defp read(function, args) do
    ctx = Context.get()

    cond do
      ctx == nil -> apply(:application, function, args)
      controlled?(ctx) -> guest(function, args)
      own?(ctx, args) -> read_own(ctx, function, args)
      true -> apply(:application, function, args)
    end
  end

  # Whether the node's settings may differ from the VM's.
  defp own?(ctx, args), do: List.first(args) in Diskless.apps() or :ets.member(ctx.store, {:node_env, ctx.node})

  defp read_own(ctx, :get_env, [app, key | default]) do
    case {own_value(ctx, app, key), default} do
      {{:ok, value}, []} -> {:ok, value}
      {{:ok, value}, _} -> value
      {nil, _} -> apply(:application, :get_env, [app, key | default])
    end
  end

  defp read_own(ctx, function, args) do
    if String.contains?(Atom.to_string(function), "env"), do: Services.ensure(ctx, :application_controller)
    if controlled?(ctx), do: guest(function, args), else: apply(:application, function, args)
  end

  defp own_value(ctx, app, key) do
    with [] <- :ets.lookup(ctx.store, {:node_env, ctx.node, app, key}),
         :error <- Keyword.fetch(Diskless.settings(ctx.node, app), key) do
      nil
    else
      [{_, value}] -> {:ok, value}
      {:ok, value} -> {:ok, value}
    end
  end

  @doc "Gives a node that is being started its own values of some keys."
  @spec set_node_env(Context.t(), node(), keyword(keyword())) :: :ok
  def set_node_env(ctx, node, env) do
    if :ets.member(ctx.store, {:node_env, node}), do: :ets.match_delete(ctx.store, {{:node_env, node, :_, :_}, :_})
    for {app, values} <- env, {key, value} <- values, do: :ets.insert(ctx.store, {{:node_env, node, app, key}, value})
    if env != [], do: :ets.insert(ctx.store, {{:node_env, node}, true})
    :ok
  end

  defp controlled?(ctx), do: Services.running?(ctx, :application_controller)

  defp guest(function, args), do: apply(Instrument.guest(:application), function, args)

  @doc """
  Loads the applications that the VM itself lives on, as far as they are installed.

  A node that would load one by itself would start it, too.
  """
  @spec load_of_the_vm() :: :ok
  def load_of_the_vm, do: Enum.each(@of_the_vm, &:application.load/1)

  @doc "Starts the controller of the caller's node and links it to the caller."
  @spec start_controller() :: {:ok, pid()}
  def start_controller do
    {:ok, keys} = :application.get_all_key(:kernel)
    # Its environment comes with the others' below.
    kernel = {:application, :kernel, Keyword.merge(keys, mod: [], env: [])}
    {:ok, pid} = Call.apply(:application_controller, :start, [kernel])
    copy_loaded(Ets.Table.find(Context.get(), :ac_tab).tid)
    Enum.each(@started, &(:ok = guest(:start, [&1])))
    {:ok, pid}
  end

  # Straight from table to table: how many applications the VM has loaded must not count in the run.
  defp copy_loaded(table) do
    entries = :ets.select(:ac_tab, for(key <- [{:loaded, :_}, {:env, :_, :_}], do: {{key, :_}, [], [:"$_"]}))
    :ets.insert(table, Enum.map(entries, &specification/1))
    copy_settings(Context.get(), table)
  end

  # The node's own come last: they count.
  defp copy_settings(ctx, table) do
    diskless = for app <- Diskless.apps(), {key, value} <- Diskless.settings(ctx.node, app), do: [app, key, value]
    own = :ets.match(ctx.store, {{:node_env, ctx.node, :"$1", :"$2"}, :"$3"})
    for [app, key, value] <- diskless ++ own, do: :ets.insert(table, {{:env, app, key}, value})
  end

  defp specification({{:loaded, app} = key, specification}) when app in @of_the_vm do
    {:ok, callback} = :application.get_key(app, :mod)
    {key, without_callback(specification, callback)}
  end

  defp specification(entry), do: entry

  # The layout of the record is OTP's own affair.
  defp without_callback(callback, callback), do: []

  defp without_callback(tuple, callback) when is_tuple(tuple) do
    tuple |> Tuple.to_list() |> Enum.map(&without_callback(&1, callback)) |> List.to_tuple()
  end

  defp without_callback(other, _callback), do: other
end
