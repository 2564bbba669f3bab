defmodule Lockstep.Runtime.Shared do
  @moduledoc false
  # What tables and the other kinds of shared state have in common.
  #
  # Their scheduling points: which table or other container is touched, and which entry of it.
  #
  # To the core both are numbers, of 27 bits. Two that are equal by chance only mean one conflict too many.

  alias Lockstep.Native
  alias Lockstep.Runtime.{Context, Stack, Turn}

  @doc "Announces what is to be done to an entry of `object`, or to the whole of it if that is `nil`."
  @spec announce(Context.t(), non_neg_integer(), non_neg_integer() | nil, boolean()) :: :ok
  def announce(ctx, object, entry, write?) do
    Turn.take(Native.access_table(ctx.session, ctx.id, object, entry, write?))
  end

  @doc "Announces what touches everything there is."
  @spec announce_all(Context.t(), boolean()) :: :ok
  def announce_all(ctx, write?), do: Turn.take(Native.access_table(ctx.session, ctx.id, nil, nil, write?))

  @doc "The number of a container or entry that `term` stands for."
  @spec number(term()) :: non_neg_integer()
  def number(term), do: :erlang.phash2(term)

  @doc "The number of a table's entry. The keys of an `ordered_set` are equal if they compare equal: 1 is 1.0 there."
  @spec entry(:ets.type(), term()) :: non_neg_integer()
  def entry(:ordered_set, key), do: number(whole(key))
  def entry(_type, key), do: number(key)

  # No float has to be told from the integer that it equals.
  defp whole(float) when is_float(float) and trunc(float) == float, do: trunc(float)
  defp whole([head | tail]), do: [whole(head) | whole(tail)]
  defp whole(tuple) when is_tuple(tuple), do: tuple |> Tuple.to_list() |> whole() |> List.to_tuple()
  defp whole(map) when is_map(map), do: Map.new(map, fn {key, value} -> {key, whole(value)} end)
  defp whole(other), do: other

  @doc "Raises what a function of the VM has raised, as if the program itself had called that with these arguments."
  @spec fail(mfa :: {module(), atom(), [term()]}, term(), Exception.stacktrace(), keyword()) :: no_return()
  def fail({module, function, args}, reason, stack, location) do
    callers = stack |> Enum.drop_while(&(not Stack.own?(&1))) |> Enum.reject(&Stack.own?/1)
    :erlang.raise(:error, reason, [{module, function, args, location} | callers])
  end
end
