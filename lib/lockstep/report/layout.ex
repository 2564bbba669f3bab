defmodule Lockstep.Report.Layout do
  @moduledoc false
  # Widths and line breaks of table cells.

  alias Lockstep.Report.Width

  @doc """
  Gives each column the width it needs, or as much as it can have within `available`.

  Columns that need little get what they need; the others share what is left.

  ## Examples

      iex> Lockstep.Report.Layout.fit([4, 50, 50], 44)
      [4, 20, 20]

  """
  @spec fit([non_neg_integer()], non_neg_integer()) :: [pos_integer()]
  def fit(needs, available) do
    needs
    |> Enum.with_index()
    |> Enum.sort()
    |> share(available, length(needs))
    |> Enum.sort_by(&elem(&1, 1))
    |> Enum.map(&elem(&1, 0))
  end

  defp share([], _available, 0), do: []

  defp share([{need, index} | rest], available, count) do
    width = need |> min(div(available, count)) |> max(1)
    [{width, index} | share(rest, available - width, count - 1)]
  end

  @doc "Breaks the lines of `text` that are longer than `width`; the others stay as they are."
  @spec paragraphs(String.t(), pos_integer()) :: String.t()
  def paragraphs(text, width), do: text |> wrap(width, :infinity) |> Enum.join("\n")

  @doc """
  Breaks `text` into lines of at most `width`, at spaces where there are some, and into at most `max_lines`.

  ## Examples

      iex> Lockstep.Report.Layout.wrap("send {:put, :x, 1} to b:Replica", 16, 3)
      ["send {:put, :x,", "1} to b:Replica"]

      iex> Lockstep.Report.Layout.wrap("a long text on one line", 10, 1)
      ["a long ..."]

  """
  @spec wrap(String.t(), pos_integer(), pos_integer() | :infinity) :: [String.t()]
  def wrap(text, width, max_lines) do
    lines = text |> String.split("\n") |> Enum.flat_map(&break(&1, width))

    if length(lines) > max_lines do
      {kept, _} = Enum.split(lines, max_lines)
      List.update_at(kept, -1, &shorten(&1, width))
    else
      lines
    end
  end

  defp break(line, width) do
    if Width.of(line) <= width, do: [line], else: break_at_spaces(line, width)
  end

  defp break_at_spaces(line, width) do
    line
    |> String.split(" ")
    |> Enum.flat_map(&chunk(&1, width))
    |> Enum.reduce([], &add_word(&1, &2, width))
    |> Enum.reverse()
  end

  defp add_word(word, [], _width), do: [word]

  defp add_word(word, [line | lines], width) do
    if Width.of(line) + 1 + Width.of(word) <= width do
      [line <> " " <> word | lines]
    else
      [word, line | lines]
    end
  end

  defp chunk(word, width) do
    if Width.of(word) > width do
      {head, tail} = Width.split(word, width)
      if tail == "", do: [head], else: [head | chunk(tail, width)]
    else
      [word]
    end
  end

  # Whole words, where there is more than one.
  defp shorten(line, width) do
    words = line |> Width.split(max(width - 4, 1)) |> elem(0) |> String.split(" ")
    whole? = Width.of(line) <= width - 4 or length(words) == 1
    kept = if whole?, do: words, else: Enum.drop(words, -1)
    Enum.join(kept ++ ["..."], " ")
  end
end
