defmodule Lockstep.Report.Width do
  @moduledoc false
  # How many columns of a terminal a text takes: characters of East Asian scripts and most pictures take two.

  # Ranges of wide characters: the Unicode standard, annex 11, classes W and F, without the gaps that are not assigned.
  @wide [
    0x1100..0x115F,
    0x231A..0x231B,
    0x23E9..0x23EC,
    0x25FD..0x25FE,
    0x2614..0x2615,
    0x2648..0x2653,
    0x26A1..0x26A1,
    0x2705..0x2705,
    0x2728..0x2728,
    0x274C..0x274C,
    0x2753..0x2755,
    0x2B50..0x2B50,
    0x2E80..0x303E,
    0x3041..0x33FF,
    0x3400..0x4DBF,
    0x4E00..0x9FFF,
    0xA000..0xA4CF,
    0xA960..0xA97F,
    0xAC00..0xD7A3,
    0xF900..0xFAFF,
    0xFE30..0xFE6F,
    0xFF00..0xFF60,
    0xFFE0..0xFFE6,
    0x1F300..0x1F64F,
    0x1F680..0x1F6FF,
    0x1F900..0x1FAFF,
    0x20000..0x3FFFD
  ]

  @doc """
  The columns that `text` takes.

  ## Examples

      iex> Enum.map(["abc", "né", "日本"], &Lockstep.Report.Width.of/1)
      [3, 2, 4]

  """
  @spec of(String.t()) :: non_neg_integer()
  def of(text) do
    if ascii?(text), do: byte_size(text), else: text |> String.graphemes() |> Enum.map(&grapheme/1) |> Enum.sum()
  end

  defp ascii?(<<char, rest::binary>>) when char < 0x80, do: ascii?(rest)
  defp ascii?(rest), do: rest == ""

  defp grapheme(<<char::utf8, _::binary>>), do: if(wide?(char), do: 2, else: 1)
  defp grapheme(_byte), do: 1

  for range <- @wide do
    defp wide?(char) when char in unquote(range.first)..unquote(range.last), do: true
  end

  defp wide?(_char), do: false

  @doc "As much of the beginning of `text` as fits into `width` columns, at least one character, and the rest."
  @spec split(String.t(), pos_integer()) :: {String.t(), String.t()}
  def split(text, width) do
    {head, tail} = text |> String.graphemes() |> take(width, [])
    {IO.iodata_to_binary(head), IO.iodata_to_binary(tail)}
  end

  defp take([], _width, taken), do: {Enum.reverse(taken), []}

  defp take([first | rest] = all, width, taken) do
    left = width - grapheme(first)
    if left < 0 and taken != [], do: {Enum.reverse(taken), all}, else: take(rest, left, [first | taken])
  end

  @doc "`text` with spaces behind it, so that it takes `width` columns."
  @spec pad(String.t(), non_neg_integer()) :: String.t()
  def pad(text, width), do: text <> String.duplicate(" ", max(width - of(text), 0))
end
