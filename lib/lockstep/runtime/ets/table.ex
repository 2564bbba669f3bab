defmodule Lockstep.Runtime.Ets.Table do
  @moduledoc false
  # The ETS tables of a run. They are real tables of the real processes, without names; what the code under test
  # holds is a virtual reference or a name of its node. The run's store has the way from one to the other.

  alias Lockstep.Native
  alias Lockstep.Runtime.{Context, Services, Shared, Tally}
  alias Lockstep.Runtime.Ets.Index

  # The table that the process has found last, and when: most go back to the same one.
  @found :"$lockstep_table"

  @enforce_keys [:id, :number, :object, :tid, :node, :owner, :heir, :name, :named?, :type, :keypos]
  defstruct @enforce_keys

  @typedoc "Who inherits a table, and the data of the message that tells of it, if there is to be one."
  @type heir :: {pid(), term()} | {pid()} | nil

  @type t :: %__MODULE__{
          id: reference(),
          number: non_neg_integer(),
          object: non_neg_integer(),
          tid: :ets.tid(),
          node: node(),
          owner: pid(),
          heir: heir(),
          name: atom(),
          named?: boolean(),
          type: :ets.type(),
          keypos: pos_integer()
        }

  @doc "Enters a real table of the caller's, under the identity `new_ref`."
  @spec enter(Context.t(), {reference(), non_neg_integer()}, :ets.tid(), boolean(), heir()) :: t()
  def enter(ctx, {id, number}, tid, named?, heir) do
    info = :ets.info(tid)

    table = %__MODULE__{
      id: id,
      number: number,
      object: 0,
      tid: tid,
      node: ctx.node,
      owner: ctx.pid,
      heir: heir,
      name: info[:name],
      named?: named?,
      type: info[:type],
      keypos: info[:keypos]
    }

    own(ctx, ctx.pid, id)
    put(ctx, table)
  end

  @doc "Notes what has become of a table."
  @spec put(Context.t(), t()) :: t()
  def put(ctx, table) do
    table = %{table | object: object(table)}
    :ets.insert(ctx.store, {{:table, table.id}, table})
    if table.named?, do: :ets.insert(ctx.store, {{:table_name, table.node, table.name}, table})
    changed(ctx)
    table
  end

  # Who looks for the name of a table conflicts with who makes or deletes it.
  defp object(%{named?: true} = table), do: Shared.number({table.node, table.name})
  defp object(table), do: Shared.number(table.number)

  @doc "The table that `id`, a reference or a name, means on the caller's node."
  @spec find(Context.t(), term()) :: t() | nil
  def find(%{node: node} = ctx, id) do
    now = Tally.get(ctx, :changes_of_tables)

    case :erlang.get(@found) do
      {^id, ^now, %{node: ^node} = table} -> table
      _other -> ctx |> look_up(id) |> remember(id, now)
    end
  end

  # If there has been a change meanwhile, `now` is over.
  defp remember(nil, _id, _now), do: nil

  defp remember(table, id, now) do
    :erlang.put(@found, {id, now, table})
    table
  end

  defp changed(ctx), do: Tally.add(ctx, :changes_of_tables, 1)

  defp look_up(ctx, name) when is_atom(name) do
    named(ctx, name) || provided(ctx, name)
  end

  defp look_up(%{node: node} = ctx, id) when is_reference(id) do
    case :ets.lookup(ctx.store, {:table, id}) do
      [{_, %{node: ^node} = table}] -> table
      _ -> nil
    end
  end

  defp look_up(_ctx, _id), do: nil

  # Some tables are read without asking their servers, which a real node has from the start.
  defp provided(ctx, :global_names) do
    Services.ready(ctx, :global_name_server)
    named(ctx, :global_names)
  end

  # Its own server asks for it before it is there.
  defp provided(ctx, :ac_tab) do
    Services.ensure(ctx, :application_controller)
    named(ctx, :ac_tab)
  end

  defp provided(_ctx, _name), do: nil

  defp named(ctx, name) do
    case :ets.lookup(ctx.store, {:table_name, ctx.node, name}) do
      [{_, table}] -> table
      [] -> nil
    end
  end

  @doc "Whether the reference is that of a table on another node."
  @spec elsewhere?(Context.t(), term()) :: boolean()
  def elsewhere?(ctx, id) when is_reference(id) do
    case :ets.lookup(ctx.store, {:table, id}) do
      [{_, table}] -> table.node != ctx.node
      [] -> false
    end
  end

  def elsewhere?(_ctx, _id), do: false

  @doc "What the code under test calls the table: its name if it has one."
  @spec id(t()) :: atom() | reference()
  def id(%{named?: true, name: name}), do: name
  def id(%{id: id}), do: id

  @doc "Forgets a table that is no more."
  @spec forget(Context.t(), t()) :: :ok
  def forget(ctx, table) do
    disown(ctx, table.owner, table.id)
    Index.drop(ctx, table)
    :ets.delete(ctx.store, {:table, table.id})
    :ets.delete(ctx.store, {:fixed_since, table.number})
    forget_name(ctx, table)
  end

  @doc "Makes the name of a table free again."
  @spec forget_name(Context.t(), t()) :: :ok
  def forget_name(ctx, table) do
    if table.named?, do: :ets.delete(ctx.store, {:table_name, table.node, table.name})
    changed(ctx)
  end

  @doc "Passes a table on."
  @spec hand_over(Context.t(), t(), pid()) :: t()
  def hand_over(ctx, table, to) do
    disown(ctx, table.owner, table.id)
    own(ctx, to, table.id)
    put(ctx, %{table | owner: to})
  end

  @doc "The tables of a process, in the order in which it got them."
  @spec owned(Context.t(), pid()) :: [t()]
  def owned(ctx, pid), do: for(id <- Enum.reverse(estate(ctx, pid)), do: find(ctx, id))

  defp own(ctx, pid, id) do
    Native.owner(ctx.session, pid)
    :ets.insert(ctx.store, {{:estate, pid}, [id | estate(ctx, pid)]})
  end

  defp disown(ctx, pid, id) do
    case List.delete(estate(ctx, pid), id) do
      [] -> :ets.delete(ctx.store, {:estate, pid})
      ids -> :ets.insert(ctx.store, {{:estate, pid}, ids})
    end
  end

  defp estate(ctx, pid) do
    case :ets.lookup(ctx.store, {:estate, pid}) do
      [{_, ids}] -> ids
      [] -> []
    end
  end

  @doc "The tables of the caller's node, oldest first."
  @spec all(Context.t()) :: [t()]
  def all(ctx) do
    tables = ctx.store |> :ets.match({{:table, :_}, :"$1"}) |> List.flatten()
    tables |> Enum.filter(&(&1.node == ctx.node)) |> Enum.sort_by(& &1.number)
  end
end
