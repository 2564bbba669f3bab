defmodule Lockstep.Report.Mentions do
  @moduledoc false
  # What a failure speaks of: the values in the error. Events that mention them are the ones a reader looks for, however
  # long before the failure they were.

  # A value that so large a part of the events mentions distinguishes none of them.
  @rare 0.1
  @most_values 30

  @doc """
  Patterns of the values that an error has in it, as they are printed: tuples, strings, and numbers of three digits or more.
  Of two sides of a comparison only what one has and the other has not.

  ## Example

      iex> error = {:crash, :error, %ExUnit.AssertionError{left: [a: 1, a: 2], right: [a: 1]}, []}
      iex> [pattern] = Lockstep.Report.Mentions.patterns(error)
      iex> for text <- ["call {:put, {:a, 2}, true}", "reply [a: 1, a: 2]", "reply [a: 22]"], do: text =~ pattern
      [true, true, false]

  """
  @spec patterns(term()) :: [Regex.t()]
  def patterns({:crash, _kind, reason, _trace}) do
    reason |> values() |> Enum.uniq() |> Enum.take(@most_values) |> Enum.map(&pattern/1)
  end

  def patterns(_error), do: []

  defp values(%{__struct__: ExUnit.AssertionError, left: left, right: right}) do
    {left, right} = {values(left), values(right)}

    case (left -- right) ++ (right -- left) do
      [] -> left
      different -> different
    end
  end

  defp values(%_module{__exception__: true} = error) do
    error |> Map.from_struct() |> Map.delete(:__exception__) |> Map.values() |> values()
  end

  defp values(%_module{} = struct), do: struct |> Map.from_struct() |> values()
  defp values(map) when is_map(map), do: map |> Map.to_list() |> values()
  defp values([head | tail]), do: values(head) ++ values(tail)

  defp values(tuple) when is_tuple(tuple) and tuple_size(tuple) > 1 do
    [tuple | tuple |> Tuple.to_list() |> Enum.filter(&is_tuple/1) |> values()]
  end

  defp values(text) when is_binary(text) and byte_size(text) in 3..100, do: [text]
  defp values(number) when is_integer(number) and abs(number) > 99, do: [number]
  defp values(_other), do: []

  defp pattern({key, value} = pair) when is_atom(key) do
    within = Regex.escape("#{Macro.inspect_atom(:key, key)} #{inspect(value)}")
    whole("(?:#{Regex.escape(inspect(pair))}|#{within})")
  end

  defp pattern(value), do: value |> inspect() |> Regex.escape() |> whole()

  # Not as a part of something longer.
  defp whole(pattern), do: Regex.compile!("(?<![\\w:@.])#{pattern}(?![\\w@.])", "u")

  @doc "The positions of the events, of those at `positions`, that mention what few others do."
  @spec positions([map()], MapSet.t(non_neg_integer()), [Regex.t()]) :: [non_neg_integer()]
  def positions(events, positions, patterns) do
    candidates = for {event, at} <- Enum.with_index(events), at in positions, do: {event, at}
    limit = max(@rare * length(candidates), 3)

    patterns
    |> Enum.map(fn pattern -> for {event, at} <- candidates, event.text =~ pattern, do: at end)
    |> Enum.filter(&(length(&1) <= limit))
    |> List.flatten()
    |> Enum.uniq()
  end
end
