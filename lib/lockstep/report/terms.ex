defmodule Lockstep.Report.Terms do
  @moduledoc false
  # Takes apart what `inspect/1` has printed, as far as a report needs it: where a term ends, and what a tuple holds.
  #
  # The events of a run have texts, not terms. Brackets and quotes are matched; what is printed with unmatched ones by an
  # `Inspect` of its own is at worst not taken apart, and then shown as it is.

  @doc """
  Splits printed terms at the commas between them.

  ## Examples

      iex> Lockstep.Report.Terms.split(~S|{:a, "b, c"}, [1, 2], 3|)
      ["{:a, \\"b, c\\"}", "[1, 2]", "3"]

  """
  @spec split(String.t()) :: [String.t()]
  def split(text), do: cut(text, ", ")

  @doc """
  What a printed tuple holds; `nil` if it is none.

  ## Examples

      iex> Lockstep.Report.Terms.elements("{:put, {1, 2}, 3}")
      [":put", "{1, 2}", "3"]

      iex> Lockstep.Report.Terms.elements("[1]")
      nil

  """
  @spec elements(String.t()) :: [String.t()] | nil
  def elements("{" <> rest = text) do
    if String.ends_with?(text, "}") and match?([_], split(text)),
      do: rest |> binary_part(0, byte_size(rest) - 1) |> split()
  end

  def elements(_text), do: nil

  @doc """
  Splits `"message to destination"`: at the last ` to ` that is in no term.

  ## Examples

      iex> Lockstep.Report.Terms.sending(~S|{:say, "a to b"} to {:c, :node@host}|)
      {"{:say, \\"a to b\\"}", "{:c, :node@host}"}

  """
  @spec sending(String.t()) :: {String.t(), String.t() | nil}
  def sending(text) do
    case cut(text, " to ") do
      [_] -> {text, nil}
      parts -> {parts |> Enum.drop(-1) |> Enum.join(" to "), List.last(parts)}
    end
  end

  defp cut(text, separator),
    do: text |> cut(separator, 0, 0, 0, []) |> Enum.map(fn {at, size} -> binary_part(text, at, size) end)

  # `from` is where the part began and `at` where we are; `depth` counts the open brackets.
  defp cut(text, separator, from, at, depth, parts) do
    size = byte_size(separator)

    case text do
      <<_::binary-size(at)>> ->
        Enum.reverse([{from, at - from} | parts])

      <<_::binary-size(at), ^separator::binary-size(size), _::binary>> when depth == 0 ->
        cut(text, separator, at + size, at + size, 0, [{from, at - from} | parts])

      <<_::binary-size(at), next::binary-size(2), _::binary>> when next in ["=>", "->"] ->
        cut(text, separator, from, at + 2, depth, parts)

      <<_::binary-size(at), char, _::binary>> when char in ~c"\"'" ->
        cut(text, separator, from, after_quote(text, at + 1, char), depth, parts)

      <<_::binary-size(at), char, _::binary>> ->
        cut(text, separator, from, at + 1, max(depth + deeper(char), 0), parts)
    end
  end

  defp deeper(char) when char in ~c"{[(<", do: 1
  defp deeper(char) when char in ~c"}])>", do: -1
  defp deeper(_char), do: 0

  # Behind the closing quote, or where the text ends.
  defp after_quote(text, at, quotation) do
    case text do
      <<_::binary-size(at), ?\\, _, _::binary>> -> after_quote(text, at + 2, quotation)
      <<_::binary-size(at), ^quotation, _::binary>> -> at + 1
      <<_::binary-size(at), _, _::binary>> -> after_quote(text, at + 1, quotation)
      _ -> byte_size(text)
    end
  end
end
