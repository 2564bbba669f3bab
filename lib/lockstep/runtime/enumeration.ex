defmodule Lockstep.Runtime.Enumeration do
  @moduledoc false
  # Functions of `Enum` for lists.
  #
  # `Enum` runs as a copy, because it calls protocols that the program may implement, and there each call of a closure
  # is checked. For a list there is no protocol, so the original does it, and the closure is checked once.

  alias Lockstep.Instrument
  alias Lockstep.Runtime.{Call, Context}

  # The arguments after the list; the last one is the function.
  @functions [
    all?: 2,
    any?: 2,
    count: 2,
    dedup_by: 2,
    drop_while: 2,
    each: 2,
    filter: 2,
    find: 2,
    find: 3,
    find_index: 2,
    find_value: 2,
    find_value: 3,
    frequencies_by: 2,
    group_by: 2,
    map: 2,
    map_reduce: 3,
    max_by: 2,
    min_by: 2,
    reduce: 2,
    reduce: 3,
    reduce_while: 3,
    reject: 2,
    scan: 2,
    scan: 3,
    sort: 2,
    sort_by: 2,
    split_while: 2,
    split_with: 2,
    take_while: 2,
    uniq_by: 2
  ]

  # Those that call nobody.
  @plain [
    at: 2,
    at: 3,
    count: 1,
    drop: 2,
    empty?: 1,
    max: 1,
    min: 1,
    reverse: 1,
    slice: 2,
    slice: 3,
    sort: 1,
    sum: 1,
    take: 2,
    to_list: 1,
    uniq: 1,
    with_index: 1
  ]

  @doc "The functions that are here, with their arities."
  @spec functions() :: keyword(arity())
  def functions, do: @functions ++ @plain

  for {name, arity} <- @plain do
    others = Macro.generate_arguments(arity - 1, __MODULE__)

    @doc "`Enum.#{name}/#{arity}`."
    def unquote(name)(list, unquote_splicing(others)) when is_list(list),
      do: Enum.unquote(name)(list, unquote_splicing(others))

    def unquote(name)(enumerable, unquote_splicing(others)),
      do: copy(unquote(name), [enumerable, unquote_splicing(others)])
  end

  for {name, arity} <- @functions do
    others = Macro.generate_arguments(arity - 2, __MODULE__)

    @doc "`Enum.#{name}/#{arity}`."
    def unquote(name)(list, unquote_splicing(others), fun) when is_list(list) and is_function(fun) do
      Enum.unquote(name)(list, unquote_splicing(others), Call.callable(fun))
    end

    def unquote(name)(enumerable, unquote_splicing(others), fun) do
      copy(unquote(name), [enumerable, unquote_splicing(others), fun])
    end
  end

  defp copy(name, args) do
    if Context.inside?(), do: apply(Instrument.guest(Enum), name, args), else: apply(Enum, name, args)
  end
end
