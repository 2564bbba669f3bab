defmodule Lockstep.Runtime.Sometimes do
  @moduledoc false
  # `Lockstep.sometimes/2`. The run only keeps what it has met; the sweep draws the conclusions.
  #
  # Nothing that another process can see, so no scheduling point: a schedule is the same with and without it.

  alias Lockstep.Options.Arguments
  alias Lockstep.OutsideRunError
  alias Lockstep.Runtime.{Context, Place}

  @type met :: {name :: String.t() | atom(), met? :: boolean(), Place.t()}

  @doc "Keeps that `name` was reached, and met if the condition is true."
  @spec record(String.t() | atom(), condition, Place.t()) :: condition when condition: term()
  def record(name, condition, place) do
    ctx = Context.get() || raise OutsideRunError, call: "Lockstep.sometimes/2"
    Arguments.check_name!(name, "Lockstep.sometimes/2")
    keep(ctx.store, {:sometimes, name}, condition not in [nil, false], place)
    condition
  end

  defp keep(store, key, met?, place) do
    case :ets.lookup(store, key) do
      [] -> :ets.insert(store, {key, met?, place || Place.of_caller()})
      [{_, false, first}] when met? -> :ets.insert(store, {key, true, first})
      _ -> true
    end
  end

  @doc "Everything that was reached in a run, by name."
  @spec all(:ets.tid()) :: [met()]
  def all(store) do
    store |> :ets.match({{:sometimes, :"$1"}, :"$2", :"$3"}) |> Enum.map(&List.to_tuple/1) |> Enum.sort()
  end
end
