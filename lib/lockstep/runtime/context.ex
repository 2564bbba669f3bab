defmodule Lockstep.Runtime.Context do
  @moduledoc false
  # What a process of a run carries in its dictionary: which run it belongs to and who it is there.

  @key :"$lockstep"

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

  @doc "A process dictionary as the program sees it: without our keys."
  @spec visible([{term(), term()}]) :: [{term(), term()}]
  def visible(dictionary), do: Enum.reject(dictionary, fn {key, _value} -> own_key?(key) end)

  defp own_key?(key) when is_atom(key), do: match?("$lockstep" <> _, Atom.to_string(key))
  defp own_key?(_key), do: false
end
