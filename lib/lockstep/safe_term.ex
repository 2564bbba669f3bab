defmodule Lockstep.SafeTerm do
  @moduledoc false
  # Terms from files that anybody may have written: whatever the bytes are, reading them makes no atoms, takes a bounded
  # amount of memory, and never raises.

  # In memory a term takes up to 16 times as much.
  @max_bytes 32 * 1024 * 1024

  @type reason :: :foreign | :damaged | :too_large

  @doc "How many bytes the encoding of a compressed term may have, before it is compressed."
  @spec max_bytes() :: pos_integer()
  def max_bytes, do: @max_bytes

  @doc """
  The term that `bytes` are in Erlang's External Term Format, compressed or not.

  ## Examples

      iex> Lockstep.SafeTerm.decode(:erlang.term_to_binary([1, "two"]))
      {:ok, [1, "two"]}

      iex> Lockstep.SafeTerm.decode("no term")
      {:error, :foreign}

  """
  @spec decode(binary()) :: {:ok, term()} | {:error, reason()}
  # A compressed term says how large it is, and the VM does not inflate more than that.
  def decode(<<131, 80, size::32, _rest::binary>>) when size > @max_bytes, do: {:error, :too_large}
  def decode(<<131, _rest::binary>> = bytes), do: decode_checked(bytes)
  def decode(bytes) when is_binary(bytes), do: {:error, :foreign}

  defp decode_checked(bytes) do
    case :erlang.binary_to_term(bytes, [:safe, :used]) do
      {term, used} when used == byte_size(bytes) -> {:ok, term}
      {_term, _used} -> {:error, :damaged}
    end
  rescue
    _any -> {:error, :damaged}
  end
end
