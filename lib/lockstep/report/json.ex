defmodule Lockstep.Report.Json do
  @moduledoc false
  # A small JSON encoder (RFC 8259): Elixir has one only since 1.18.
  #
  # Fields come in the order of a keyword list; those of a map in the order of their names, so that the same term always
  # gives the same text.

  @typedoc "What can be encoded. Atoms but `nil`, `true` and `false` are strings; so are keys."
  @type value ::
          nil | boolean() | number() | String.t() | atom() | [value()] | %{optional(atom() | String.t()) => value()}

  @doc """
  The JSON text of a value.

  ## Examples

      iex> Lockstep.Report.Json.encode(%{b: [1, 2.5, nil], a: "say \\"hi\\"\\n"})
      ~S({"a":"say \\"hi\\"\\n","b":[1,2.5,null]})

      iex> Lockstep.Report.Json.encode(seed: 7, error: :timeout)
      ~S({"seed":7,"error":"timeout"})

  Bytes that are no UTF-8 are replaced by U+FFFD.
  """
  @spec encode(value() | keyword(value())) :: String.t()
  def encode(value), do: value |> encoded() |> IO.iodata_to_binary()

  defp encoded(nil), do: "null"
  defp encoded(value) when is_boolean(value), do: Atom.to_string(value)
  defp encoded(value) when is_atom(value), do: value |> Atom.to_string() |> string()
  defp encoded(value) when is_integer(value), do: Integer.to_string(value)
  defp encoded(value) when is_float(value), do: Float.to_string(value)
  defp encoded(value) when is_binary(value), do: string(value)
  defp encoded(value) when is_map(value), do: value |> Enum.sort_by(fn {key, _} -> to_string(key) end) |> object()
  defp encoded([{key, _} | _] = fields) when is_atom(key), do: object(fields)
  defp encoded(list) when is_list(list), do: [?[, list |> Enum.map(&encoded/1) |> Enum.intersperse(?,), ?]]

  defp object(fields) do
    [
      ?{,
      fields |> Enum.map(fn {key, value} -> [string(to_string(key)), ?:, encoded(value)] end) |> Enum.intersperse(?,),
      ?}
    ]
  end

  defp string(text), do: [?", escape(text), ?"]

  defp escape(<<>>), do: []
  defp escape(<<?", rest::binary>>), do: [~S(\") | escape(rest)]
  defp escape(<<?\\, rest::binary>>), do: [~S(\\) | escape(rest)]
  defp escape(<<?\n, rest::binary>>), do: [~S(\n) | escape(rest)]
  defp escape(<<?\r, rest::binary>>), do: [~S(\r) | escape(rest)]
  defp escape(<<?\t, rest::binary>>), do: [~S(\t) | escape(rest)]
  # Control characters have to be escaped, and U+2028 and U+2029 should be: JavaScript takes them for ends of lines.
  defp escape(<<char::utf8, rest::binary>>) when char < 0x20 or char in [0x7F, 0x2028, 0x2029] do
    [~S(\u), char |> Integer.to_string(16) |> String.pad_leading(4, "0") | escape(rest)]
  end

  defp escape(<<char::utf8, rest::binary>>), do: [<<char::utf8>> | escape(rest)]
  defp escape(<<_byte, rest::binary>>), do: ["\uFFFD" | escape(rest)]
end
