defmodule Lockstep.Runtime.Context do
  @moduledoc false
  # What a process of a run carries in its dictionary: which run it belongs to and who it is there.

  @key :"$lockstep"

  @enforce_keys [:session, :id, :pid, :node, :store, :warden, :scheduler, :record?]
  defstruct @enforce_keys

  @type t :: %__MODULE__{
          session: reference(),
          id: non_neg_integer(),
          pid: pid(),
          node: node(),
          store: :ets.tid(),
          warden: pid(),
          scheduler: pos_integer(),
          record?: boolean()
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

  @doc "Whether the caller is a process of a run."
  @spec inside?() :: boolean()
  def inside?, do: :erlang.get(@key) != :undefined

  @doc "Whether a key of the process dictionary is ours, and so hidden from the program."
  @spec own_key?(term()) :: boolean()
  def own_key?(key),
    do: key in [@key, :"$lockstep_mailbox", :"$lockstep_stash", :"$lockstep_monitors", :"$lockstep_refs"]
end
