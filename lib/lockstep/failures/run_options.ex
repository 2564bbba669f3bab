defmodule Lockstep.Failures.RunOptions do
  @moduledoc false
  # The options that a run depends on, in a stored failure: atoms are texts there, since reading a file makes no atoms.

  alias Lockstep.Options
  alias Lockstep.Options.{Faults, Type}

  # Atoms that the options of faults consist of.
  @faults ~w(partition crash pause disconnect latency clock_skew max restart)a
  # More names than any cluster has; each becomes an atom when it is replayed.
  @max_nodes 1_000
  @max_name 255
  # Steps, and virtual ms: the core counts in microseconds.
  @max 0xF_FFFF_FFFF_FFFF

  @doc "The options as a map from texts."
  @spec dump(keyword()) :: map()
  def dump(options) do
    Map.new(options, fn {name, value} -> {Atom.to_string(name), dump_value(name, value)} end)
  end

  defp dump_value(:faults, faults), do: Enum.map(faults, fn {kind, value} -> [to_string(kind), dump_fault(value)] end)
  defp dump_value(_name, value) when is_atom(value), do: Atom.to_string(value)
  defp dump_value(_name, values) when is_list(values), do: Enum.map(values, &to_string/1)
  defp dump_value(_name, value), do: value

  defp dump_fault(%Range{first: first, last: last}), do: [first, last]

  defp dump_fault(options) when is_list(options),
    do: Enum.map(options, fn {name, value} -> [to_string(name), value] end)

  defp dump_fault(number), do: number

  @doc "The options in such a map; what it does not have is as by default."
  @spec load(map()) :: {:ok, keyword()} | {:error, name :: String.t()}
  def load(map) do
    Enum.reduce_while(Options.of_run(), {:ok, []}, fn name, {:ok, loaded} ->
      with {:ok, value} <- Map.fetch(map, Atom.to_string(name)),
           {:ok, value} <- load_value(Options.schema()[name][:type], value) do
        {:cont, {:ok, [{name, value} | loaded]}}
      else
        :error -> {:cont, {:ok, loaded}}
        {:error, _} -> {:halt, {:error, Atom.to_string(name)}}
      end
    end)
  end

  defp load_value({:one_of, allowed}, text), do: known(allowed, text)
  defp load_value({:some_of, allowed}, texts), do: each(texts, &known(allowed, &1))
  defp load_value(:nodes, texts) when is_list(texts), do: load_nodes(texts)
  defp load_value(:faults, faults), do: with({:ok, faults} <- each(faults, &load_fault/1), do: Faults.cast(faults))
  defp load_value(_type, value) when is_integer(value) and value > @max, do: {:error, "more than there can be"}
  defp load_value(type, value), do: Type.cast(type, value)

  defp known(allowed, text) do
    case Enum.find(allowed, &(Atom.to_string(&1) == text)) do
      nil -> {:error, "unknown"}
      atom -> {:ok, atom}
    end
  end

  defp load_nodes(texts) do
    with {:ok, _} = loaded <- each(texts, &load_node/1), true <- length(texts) <= @max_nodes do
      loaded
    else
      _ -> {:error, "no nodes"}
    end
  end

  defp load_node(text) when is_binary(text) and text != "" do
    if String.valid?(text) and String.length(text) <= @max_name, do: {:ok, text}, else: {:error, "no name"}
  end

  defp load_node(_), do: {:error, "no name"}

  defp load_fault([kind, value]) do
    with {:ok, kind} <- known(@faults, kind), {:ok, value} <- load_fault_value(kind, value), do: {:ok, {kind, value}}
  end

  defp load_fault(_), do: {:error, "no fault"}

  defp load_fault_value(:latency, [first, last]) when is_integer(first) and is_integer(last) and first <= last,
    do: {:ok, first..last}

  defp load_fault_value(:clock_skew, most), do: {:ok, most}

  defp load_fault_value(_kind, options) do
    each(options, fn
      [name, value] when is_integer(value) or is_boolean(value) ->
        with {:ok, name} <- known(@faults, name), do: {:ok, {name, value}}

      _ ->
        {:error, "no option"}
    end)
  end

  # Of a list that may be an improper one, or none.
  defp each(list, load), do: each(list, load, [])

  defp each([], _load, loaded), do: {:ok, Enum.reverse(loaded)}

  defp each([value | more], load, loaded) do
    with {:ok, value} <- load.(value), do: each(more, load, [value | loaded])
  end

  defp each(_improper, _load, _loaded), do: {:error, "no list"}

  @doc "The options for a run: the names of nodes are atoms."
  @spec to_run(keyword()) :: keyword()
  def to_run(options) do
    Keyword.replace(options, :nodes, Enum.map(options[:nodes] || [], &String.to_atom/1))
  end
end
