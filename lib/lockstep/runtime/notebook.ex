defmodule Lockstep.Runtime.Notebook do
  @moduledoc false
  # What a run has to tell when it is over, by kind. Each kind has one entry of the store: to look for many would mean to
  # go through the whole of it, and most runs have nothing to tell.

  @type kind :: :escaped | :sometimes | :struck

  @doc "Changes what is known under `key`; `change` gets `nil` the first time."
  @spec update(:ets.tid(), kind(), term(), (term() -> term())) :: :ok
  def update(store, kind, key, change) do
    known = all(store, kind)
    before = known[key]
    now = change.(before)
    if now != before, do: :ets.insert(store, {kind, Map.put(known, key, now)})
    :ok
  end

  @doc "Counts one more under `key`."
  @spec count(:ets.tid(), kind(), term()) :: :ok
  def count(store, kind, key), do: update(store, kind, key, &((&1 || 0) + 1))

  @doc "All that is known of a kind."
  @spec all(:ets.tid(), kind()) :: map()
  def all(store, kind) do
    case :ets.lookup(store, kind) do
      [{_, known}] -> known
      [] -> %{}
    end
  end
end
