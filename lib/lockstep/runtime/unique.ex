defmodule Lockstep.Runtime.Unique do
  @moduledoc false
  # References and unique integers. No scheduling points: nobody else can tell when they were made.

  alias Lockstep.Runtime.{Context, Identity}

  @doc "`:erlang.make_ref/0`."
  @spec make_ref() :: reference()
  def make_ref do
    case Context.get() do
      nil -> :erlang.make_ref()
      ctx -> ctx |> Identity.new_ref() |> elem(0)
    end
  end

  @doc "`:erlang.unique_integer/0`."
  @spec unique_integer() :: integer()
  def unique_integer, do: unique_integer([])

  @doc """
  `:erlang.unique_integer/1`.

  Counted per node, as on the VM: two nodes may well come to the same integer, and a program that takes them for
  unique in the cluster is wrong.
  """
  @spec unique_integer([:positive | :monotonic]) :: integer()
  def unique_integer(modifiers) do
    case Context.get() do
      nil -> :erlang.unique_integer(modifiers)
      ctx -> next(ctx, modifiers)
    end
  end

  defp next(ctx, modifiers) do
    # Called for its badarg only.
    _ = :erlang.unique_integer(modifiers)
    key = {:unique_integer, ctx.node}
    :ets.update_counter(ctx.store, key, 1, {key, 0})
  end
end
