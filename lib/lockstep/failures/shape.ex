defmodule Lockstep.Failures.Shape do
  @moduledoc false
  # Whether a map that comes from a file has the fields that it should have, each of the right type.

  # As large as the core's numbers.
  @max 0xFFFF_FFFF_FFFF_FFFF

  @type type ::
          :text | :bytes | :natural | :positive | :boolean | :map | {:maybe, type()} | {:list, type()} | fields()
  @type fields :: %{atom() => type()}

  @doc """
  The fields of `map`, whose keys are strings, with atoms as keys. Fields that `fields` does not have are left out.

  ## Examples

      iex> Lockstep.Failures.Shape.check(%{"seed" => 1, "more" => 2}, %{seed: :natural})
      {:ok, %{seed: 1}}

      iex> Lockstep.Failures.Shape.check(%{"seed" => -1}, %{seed: :natural})
      {:error, "seed"}

  """
  @spec check(map(), fields()) :: {:ok, map()} | {:error, field :: String.t()}
  def check(map, fields) when is_map(map), do: check(map, Enum.sort(fields), &Atom.to_string/1)

  @doc "The same, where the keys of the map are atoms."
  @spec check_atoms(map(), fields()) :: {:ok, map()} | {:error, field :: String.t()}
  def check_atoms(map, fields) when is_map(map), do: check(map, Enum.sort(fields), & &1)

  defp check(map, fields, key) do
    Enum.reduce_while(fields, {:ok, %{}}, fn {name, type}, {:ok, checked} ->
      with {:ok, value} <- Map.fetch(map, key.(name)), {:ok, value} <- cast(type, value, key) do
        {:cont, {:ok, Map.put(checked, name, value)}}
      else
        _ -> {:halt, {:error, Atom.to_string(name)}}
      end
    end)
  end

  defp cast(:text, value, _key) when is_binary(value), do: if(String.valid?(value), do: {:ok, value}, else: :error)
  defp cast(:bytes, value, _key) when is_binary(value), do: {:ok, value}
  defp cast(:natural, value, _key) when is_integer(value) and value in 0..@max, do: {:ok, value}
  defp cast(:positive, value, _key) when is_integer(value) and value in 1..@max, do: {:ok, value}
  defp cast(:boolean, value, _key) when is_boolean(value), do: {:ok, value}
  defp cast(:map, value, _key) when is_map(value), do: {:ok, value}
  defp cast({:maybe, _type}, nil, _key), do: {:ok, nil}
  defp cast({:maybe, type}, value, key), do: cast(type, value, key)
  defp cast({:one_of, values}, value, _key), do: if(value in values, do: {:ok, value}, else: :error)
  defp cast({:list, type}, value, key) when is_list(value), do: cast_list(value, type, [], key)
  defp cast(%{} = fields, %{} = value, key), do: check(value, Enum.sort(fields), key)
  defp cast(_type, _value, _key), do: :error

  # The list may be an improper one.
  defp cast_list([], _type, cast, _key), do: {:ok, Enum.reverse(cast)}

  defp cast_list([value | more], type, cast, key) do
    case cast(type, value, key) do
      {:ok, value} -> cast_list(more, type, [value | cast], key)
      _ -> :error
    end
  end

  defp cast_list(_improper, _type, _cast, _key), do: :error
end
