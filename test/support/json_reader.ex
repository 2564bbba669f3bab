defmodule JsonReader do
  @moduledoc false
  # A JSON parser for tests, strict about what RFC 8259 says: `{:ok, term}` or `:error`. Objects are maps with string keys.

  def parse(text) do
    with {:ok, value, rest} <- value(blank(text)), "" <- blank(rest), do: {:ok, value}, else: (_ -> :error)
  end

  defp value("null" <> rest), do: {:ok, nil, rest}
  defp value("true" <> rest), do: {:ok, true, rest}
  defp value("false" <> rest), do: {:ok, false, rest}
  defp value("\"" <> rest), do: string(rest, [])
  defp value("[" <> rest), do: many(blank(rest), "]", &value/1, [])

  defp value("{" <> rest),
    do: with({:ok, fields, rest} <- many(blank(rest), "}", &field/1, []), do: {:ok, Map.new(fields), rest})

  defp value(text), do: number(Regex.run(~r/^-?(?:0|[1-9]\d*)(\.\d+)?([eE][+-]?\d+)?/, text), text)

  defp number(nil, _text), do: :error
  defp number([digits], text), do: {:ok, String.to_integer(digits), rest(text, digits)}
  defp number([digits | _], text), do: {:ok, digits |> Float.parse() |> elem(0), rest(text, digits)}

  defp rest(text, taken), do: binary_part(text, byte_size(taken), byte_size(text) - byte_size(taken))

  defp many(text, close, _item, []) when binary_part(text, 0, 1) == close, do: {:ok, [], rest(text, close)}

  defp many(text, close, item, items) do
    with {:ok, value, rest} <- item.(text) do
      case blank(rest) do
        "," <> rest -> many(blank(rest), close, item, [value | items])
        <<^close::binary-size(1), rest::binary>> -> {:ok, Enum.reverse([value | items]), rest}
        _ -> :error
      end
    end
  end

  defp field("\"" <> rest) do
    with {:ok, key, rest} <- string(rest, []),
         ":" <> rest <- blank(rest),
         {:ok, value, rest} <- value(blank(rest)),
         do: {:ok, {key, value}, rest},
         else: (_ -> :error)
  end

  defp field(_text), do: :error

  defp string("\"" <> rest, chars), do: {:ok, chars |> Enum.reverse() |> IO.iodata_to_binary(), rest}

  defp string("\\u" <> <<hex::binary-size(4), rest::binary>>, chars),
    do: string(rest, [<<String.to_integer(hex, 16)::utf8>> | chars])

  for {escape, char} <- [
        {"\"", "\""},
        {"\\", "\\"},
        {"/", "/"},
        {"n", "\n"},
        {"r", "\r"},
        {"t", "\t"},
        {"b", "\b"},
        {"f", "\f"}
      ] do
    defp string("\\" <> unquote(escape) <> rest, chars), do: string(rest, [unquote(char) | chars])
  end

  defp string(<<char::utf8, rest::binary>>, chars) when char >= 0x20 and char != ?\\,
    do: string(rest, [<<char::utf8>> | chars])

  defp string(_text, _chars), do: :error

  defp blank(<<char, rest::binary>>) when char in ~c" \t\r\n", do: blank(rest)
  defp blank(text), do: text
end
