defmodule Lockstep.Runtime.Ets.Spec do
  @moduledoc false
  # Match specifications (ERTS User's Guide, "Match Specifications in Erlang"): what can be told and made of them
  # without running them.

  @type t :: [{term(), [term()], [term()]}]

  @doc "What `:ets.match` stands for."
  @spec match(term()) :: t()
  def match(pattern), do: [{pattern, [], [:"$$"]}]

  @doc "What `:ets.match_object` stands for."
  @spec match_object(term()) :: t()
  def match_object(pattern), do: [{pattern, [], [:"$_"]}]

  @doc """
  The only keys that can match, each once, if every clause names its key in full; else `:any`.

  The VM then looks these keys up instead of going through the table.
  """
  @spec keys(term(), pos_integer()) :: [term()] | :any
  def keys([_ | _] = spec, keypos) do
    keys = Enum.map(spec, &key(&1, keypos))
    if :any in keys, do: :any, else: keys |> Enum.map(&elem(&1, 1)) |> Enum.uniq()
  rescue
    # An improper list; the VM has something to say to that.
    FunctionClauseError -> :any
  end

  def keys(_spec, _keypos), do: :any

  defp key({head, _guards, _body}, keypos) when is_tuple(head) and tuple_size(head) >= keypos do
    key = elem(head, keypos - 1)
    if open?(key), do: :any, else: {:key, key}
  end

  defp key(_clause, _keypos), do: :any

  defp open?(:_), do: true
  defp open?(atom) when is_atom(atom), do: match?("$" <> <<digit, _::binary>> when digit in ?0..?9, to_string(atom))
  defp open?([head | tail]), do: open?(head) or open?(tail)
  defp open?(tuple) when is_tuple(tuple), do: tuple |> Tuple.to_list() |> open?()
  defp open?(map) when is_map(map), do: map |> Map.to_list() |> open?()
  defp open?(_), do: false

  @doc "The same specification with every result as `{key, result}`. What has not the form of one stays as it is."
  @spec with_keys(term(), pos_integer()) :: term()
  def with_keys(spec, keypos) when is_list(spec) do
    if List.improper?(spec), do: spec, else: Enum.map(spec, &clause_with_key(&1, keypos))
  end

  def with_keys(spec, _keypos), do: spec

  defp clause_with_key({head, guards, [_ | _] = body}, keypos) do
    {head, guards, List.update_at(body, -1, &{{{:element, keypos, :"$_"}, &1}})}
  end

  defp clause_with_key(clause, _keypos), do: clause
end
