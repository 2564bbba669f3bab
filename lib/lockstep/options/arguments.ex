defmodule Lockstep.Options.Arguments do
  @moduledoc false
  # The arguments of functions that are called inside a run. What is wrong with them is said in the same words as of the
  # options of a run.

  alias Lockstep.OptionError
  alias Lockstep.Options.Type

  @doc "The options as a map, with the defaults of `table`: `[name: {type, default}]`."
  @spec read!(term(), keyword({term(), term()}), String.t()) :: map()
  def read!(options, table, call) do
    unless Keyword.keyword?(options), do: raise(OptionError, value: options, source: call, expected: example(table))
    defaults = Map.new(table, fn {name, {_type, default}} -> {name, default} end)
    Enum.reduce(options, defaults, fn {name, value}, read -> Map.put(read, name, cast!(name, value, table, call)) end)
  end

  defp cast!(name, value, table, call) do
    with {:ok, {type, _default}} <- Keyword.fetch(table, name), {:ok, value} <- Type.cast(type, value) do
      value
    else
      :error -> raise OptionError, option: :unknown, value: name, source: call, expected: names(table)
      {:error, expected} -> raise OptionError, option: name, value: value, source: call, expected: expected
    end
  end

  defp example([{name, {_type, default}} | _]), do: "expected a keyword list, such as [#{name}: #{inspect(default)}]"
  defp names(table), do: "the options are #{table |> Keyword.keys() |> Enum.map_join(", ", &inspect/1)}"

  @doc "Checks that `fun` can be called without arguments."
  @spec check_function!(term(), String.t()) :: :ok
  def check_function!(fun, _call) when is_function(fun, 0), do: :ok

  def check_function!(other, call) do
    raise ArgumentError, "#{call} needs a function without arguments, got #{inspect(other)}; give fn -> ... end"
  end

  @doc "Checks the name of a property."
  @spec check_name!(term(), String.t()) :: :ok
  def check_name!(name, call) do
    unless Type.name?(name) do
      raise ArgumentError, "#{call} needs a name, as a string or an atom, got #{inspect(name)}; the name comes first"
    end

    :ok
  end
end
