defmodule Lockstep.Runtime.Context do
  @moduledoc false
  # What a process of a run carries in its dictionary: which run it belongs to and who it is there.

  @key :"$lockstep"
  @random :"$lockstep_random"
  @exsss {__MODULE__, :exsss}

  @enforce_keys [:session, :id, :pid, :node, :node_number, :store, :tally, :warden, :scheduler, :record?]
  defstruct @enforce_keys ++ [service?: false, stacks: [], explored?: false]

  @type t :: %__MODULE__{
          session: reference(),
          id: non_neg_integer(),
          pid: pid(),
          node: node(),
          node_number: non_neg_integer(),
          store: :ets.tid(),
          tally: Lockstep.Runtime.Tally.t(),
          warden: pid(),
          scheduler: pos_integer(),
          record?: boolean(),
          service?: boolean(),
          explored?: boolean(),
          stacks: [{step :: pos_integer(), id :: non_neg_integer()}]
        }

  @doc "The caller's place in its run; `nil` outside of one."
  @spec get() :: t() | nil
  def get, do: :erlang.get(@key) |> defined()

  defp defined(:undefined), do: nil
  defp defined(context), do: context

  @doc "Makes the caller the process that `context` describes."
  @spec put(t()) :: :ok
  def put(%__MODULE__{} = context) do
    :erlang.put(@key, context)
    :ok
  end

  @doc "Makes the caller, and all that it starts, part of the machinery of its node: no process of the program."
  @spec serve() :: :ok
  def serve, do: put(%{get() | service?: true})

  @doc "Whether the caller is a process of a run."
  @spec inside?() :: boolean()
  def inside?, do: :erlang.get(@key) != :undefined

  @doc "A process dictionary as the program sees it: without our keys, and the state for `:rand` that we gave it."
  @spec visible([{term(), term()}]) :: [{term(), term()}]
  def visible(dictionary) do
    given = List.keyfind(dictionary, @random, 0, {@random, nil}) |> elem(1)
    Enum.reject(dictionary, fn {key, value} -> own_key?(key) or (key == :rand_seed and value == given) end)
  end

  @doc "Gives the caller the state for `:rand` that it begins with, of the algorithm `:exsss`."
  @spec seed(nonempty_improper_list(pos_integer(), pos_integer())) :: :ok
  def seed(numbers) do
    :erlang.put(@random, :rand.seed({exsss(), numbers}))
    :ok
  end

  # It takes longer to make than all the rest of a process's start, and is always the same.
  defp exsss do
    case :persistent_term.get(@exsss, nil) do
      nil -> find_exsss()
      algorithm -> algorithm
    end
  end

  defp find_exsss do
    {algorithm, _numbers} = :rand.seed_s(:exsss, 0)
    :persistent_term.put(@exsss, algorithm)
    algorithm
  end

  defp own_key?(key) when is_atom(key), do: match?("$lockstep" <> _, Atom.to_string(key))
  defp own_key?(_key), do: false
end
