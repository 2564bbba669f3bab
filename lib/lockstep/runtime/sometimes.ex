defmodule Lockstep.Runtime.Sometimes do
  @moduledoc false
  # `Lockstep.sometimes/2`. The run only keeps what it has met; the sweep draws the conclusions.
  #
  # Nothing that another process can see, so no scheduling point: a schedule is the same with and without it.

  alias Lockstep.Options.Arguments
  alias Lockstep.OutsideRunError
  alias Lockstep.Runtime.{Context, Notebook, Place}

  @type met :: {name :: String.t() | atom(), met? :: boolean(), Place.t()}

  @doc "Keeps that `name` was reached, and met if the condition is true."
  @spec record(String.t() | atom(), condition, Place.t()) :: condition when condition: term()
  def record(name, condition, place) do
    ctx = Context.get() || raise OutsideRunError, call: "Lockstep.sometimes/2"
    Arguments.check_name!(name, "Lockstep.sometimes/2")
    met? = condition not in [nil, false]

    Notebook.update(ctx.store, :sometimes, name, fn
      nil -> {met?, place || Place.of_caller()}
      {before?, first} -> {before? or met?, first}
    end)

    condition
  end

  @doc "Everything that was reached in a run, by name."
  @spec all(:ets.tid()) :: [met()]
  def all(store) do
    Enum.sort(for {name, {met?, place}} <- Notebook.all(store, :sometimes), do: {name, met?, place})
  end
end
