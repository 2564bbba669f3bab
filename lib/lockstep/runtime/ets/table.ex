defmodule Lockstep.Runtime.Ets.Table do
  @moduledoc false
  # The ETS tables of a run. They are real tables of the real processes, without names; what the code under test
  # holds is a virtual reference or a name of its node. The run's store has the way from one to the other.

  alias Lockstep.Runtime.{Context, Identity}

  @enforce_keys [:id, :number, :tid, :node, :owner, :name, :named?, :type, :keypos]
  defstruct @enforce_keys

  @type t :: %__MODULE__{
          id: reference(),
          number: non_neg_integer(),
          tid: :ets.tid(),
          node: node(),
          owner: pid(),
          name: atom(),
          named?: boolean(),
          type: :set | :ordered_set | :bag | :duplicate_bag,
          keypos: pos_integer()
        }

  @doc "Creates a table of the caller. `badarg` if the arguments are wrong or the name is taken."
  @spec create(Context.t(), atom(), [term()]) :: t()
  def create(ctx, name, options) do
    named? = :named_table in options
    if named? and find(ctx, name) != nil, do: :erlang.error(:badarg)
    tid = :ets.new(name, List.delete(options, :named_table))
    {id, number} = Identity.new_ref(ctx)

    table = %__MODULE__{
      id: id,
      number: number,
      tid: tid,
      node: ctx.node,
      owner: ctx.pid,
      name: name,
      named?: named?,
      type: :ets.info(tid, :type),
      keypos: :ets.info(tid, :keypos)
    }

    :ets.insert(ctx.store, {{:table, id}, table})
    if named?, do: :ets.insert(ctx.store, {{:table_name, ctx.node, name}, id})
    table
  end

  @doc """
  The table that `id`, a reference or a name, means on the caller's node.

  The VM deletes a table with its owner, so what the store knows may be of the past.
  """
  @spec find(Context.t(), term()) :: t() | nil
  def find(ctx, name) when is_atom(name) do
    case :ets.lookup(ctx.store, {:table_name, ctx.node, name}) do
      [{_, id}] -> find(ctx, id)
      [] -> nil
    end
  end

  def find(%{node: node} = ctx, id) when is_reference(id) do
    case :ets.lookup(ctx.store, {:table, id}) do
      [{_, %{node: ^node} = table}] -> if exists?(table.tid), do: table
      _ -> nil
    end
  end

  def find(_ctx, _id), do: nil

  @doc "What the code under test calls the table: its name if it has one."
  @spec id(t()) :: atom() | reference()
  def id(%{named?: true, name: name}), do: name
  def id(%{id: id}), do: id

  @doc "Forgets a table that has been deleted."
  @spec forget(Context.t(), t()) :: :ok
  def forget(ctx, table) do
    :ets.delete(ctx.store, {:table, table.id})
    if table.named?, do: :ets.delete(ctx.store, {:table_name, table.node, table.name})
    :ok
  end

  @doc "The tables of the caller's node, oldest first."
  @spec all(Context.t()) :: [t()]
  def all(ctx) do
    tables = ctx.store |> :ets.match({{:table, :_}, :"$1"}) |> List.flatten()
    tables = Enum.filter(tables, &(&1.node == ctx.node and exists?(&1.tid)))
    Enum.sort_by(tables, & &1.number)
  end

  @doc "Whether there is such a real table."
  @spec exists?(:ets.tid()) :: boolean()
  def exists?(tid), do: :ets.info(tid, :id) != :undefined
end
