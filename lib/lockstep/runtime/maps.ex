defmodule Lockstep.Runtime.Maps do
  @moduledoc false
  # Maps are gone through in an order that is the same in every VM.
  #
  # Atoms have numbers, given as they come into being, which differs from VM to VM. Since OTP 26 a small map is ordered
  # by the numbers of its atom keys, and large ones are by hashes of them in all releases. Where that can be seen, a
  # map is gone through in the order of its keys as terms, which is an order that the VM could have had; where it can
  # not, it is left alone.

  alias Lockstep.Runtime.Context

  # Above this size a map is a tree of hashes.
  @small 32
  @ordered_by_number String.to_integer(System.otp_release()) >= 26

  @doc "As `:maps.to_list/1`."
  @spec to_list(map() | :maps.iterator()) :: [{term(), term()}]
  def to_list(map) when is_map(map), do: if(reordered?(map), do: sorted(map), else: :maps.to_list(map))
  def to_list(iterator), do: :maps.to_list(iterator)

  @doc "As `:maps.keys/1`."
  @spec keys(map()) :: [term()]
  def keys(map) when is_map(map), do: if(reordered?(map), do: :lists.sort(:maps.keys(map)), else: :maps.keys(map))
  def keys(other), do: :maps.keys(other)

  @doc "As `:maps.values/1`."
  @spec values(map()) :: [term()]
  def values(map) when is_map(map) do
    if reordered?(map), do: for({_, value} <- sorted(map), do: value), else: :maps.values(map)
  end

  def values(other), do: :maps.values(other)

  @doc "As `:maps.iterator/1`; `:maps.next/1` takes it."
  @spec iterator(map()) :: :maps.iterator()
  def iterator(map) do
    case ordered(map) do
      ^map -> :maps.iterator(map)
      iterator -> iterator
    end
  end

  @doc "As `:maps.iterator/2`."
  @spec iterator(map(), term()) :: :maps.iterator()
  def iterator(map, :undefined), do: iterator(map)
  def iterator(map, order), do: apply(:maps, :iterator, [map, order])

  # These take an iterator for the map.
  @doc "As `:maps.fold/3`."
  @spec fold((term(), term(), term() -> term()), term(), map() | :maps.iterator()) :: term()
  def fold(fun, initial, map), do: :maps.fold(fun, initial, ordered(map))

  for function <- [:foreach, :map, :filter, :filtermap] do
    @doc "As `:maps.#{function}/2`."
    @spec unquote(function)((term(), term() -> term()), map() | :maps.iterator()) :: term()
    def unquote(function)(fun, map), do: :maps.unquote(function)(fun, ordered(map))
  end

  @doc "As `:maps.merge_with/3`."
  @spec merge_with((term(), term(), term() -> term()), map(), map()) :: map()
  def merge_with(fun, left, right) do
    combined = combined(fun, left, right, :merge_with)
    if is_map(left), do: left |> :maps.merge(right) |> :maps.merge(combined), else: combined
  end

  @doc "As `:maps.intersect_with/3`."
  @spec intersect_with((term(), term(), term() -> term()), map(), map()) :: map()
  def intersect_with(fun, left, right), do: combined(fun, left, right, :intersect_with)

  # What both maps have, combined in the order of the keys. Wrong arguments are the VM's to complain of.
  defp combined(fun, left, right, _) when is_map(left) and is_map(right) and is_function(fun, 3) do
    small = if map_size(left) <= map_size(right), do: left, else: right

    fold(
      fn key, _, combined ->
        case {left, right} do
          {%{^key => first}, %{^key => second}} -> Map.put(combined, key, fun.(key, first, second))
          _ -> combined
        end
      end,
      %{},
      small
    )
  end

  defp combined(fun, left, right, function), do: apply(:maps, function, [fun, left, right])

  @doc "As `:erts_internal.mc_iterator/1`, which the generators of map comprehensions call."
  @spec mc_iterator(map() | :maps.iterator()) :: term()
  def mc_iterator(map) do
    case ordered(map) do
      ^map -> apply(:erts_internal, :mc_iterator, [map])
      iterator -> iterator
    end
  end

  # An iterator in order, or what was given.
  defp ordered(map) when is_map(map), do: if(reordered?(map), do: chain(sorted(map)), else: map)
  defp ordered(other), do: other

  defp chain(pairs), do: List.foldr(pairs, :none, fn {key, value}, next -> {key, value, next} end)

  # The sort is stable, so 1 stays in front of 1.0.
  defp sorted(map), do: :lists.keysort(1, :maps.to_list(map))

  if @ordered_by_number do
    defp reordered?(map) when map_size(map) < 2, do: false
    defp reordered?(map) when map_size(map) <= @small, do: Context.inside?()
  else
    defp reordered?(map) when map_size(map) <= @small, do: false
  end

  defp reordered?(map), do: Context.inside?() and Enum.any?(:maps.keys(map), &numbered?/1)

  # Whether the hash of a term depends on the number of an atom.
  defp numbered?(term) when is_atom(term) or is_function(term), do: true
  defp numbered?(term) when is_tuple(term), do: term |> Tuple.to_list() |> numbered?()
  defp numbered?([head | tail]), do: numbered?(head) or (tail != [] and numbered?(tail))
  defp numbered?(term) when is_map(term), do: term |> :maps.to_list() |> numbered?()
  defp numbered?(_), do: false
end
