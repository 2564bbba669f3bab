defmodule Lockstep.Report.Story.Columns do
  @moduledoc false
  # Which columns a story has and how wide they are.

  alias Lockstep.Report.{Layout, Names, Width}
  alias Lockstep.Report.Story.Margin

  @gap 3
  # A column narrower than this, though its texts need more, is not read but deciphered.
  @readable 18
  @titled 10
  @control "nonode@nohost"

  @type columns :: %{
          processes: [%{id: non_neg_integer(), title: String.t(), width: pos_integer()}],
          nodes: [{String.t(), pos_integer()}],
          place: {pos_integer(), pos_integer()} | nil
        }

  @doc "The columns of a table of `rows`, or `:list` if they would be too narrow."
  @spec fit([map()], [map()], pos_integer()) :: {:table, columns()} | :list
  def fit(rows, processes, width) do
    ids = for(%{process: id} <- rows, id != nil, do: id) |> Enum.uniq()
    shown = for process <- Enum.sort_by(processes, &{order(&1, processes), &1.id}), process.id in ids, do: process
    available = width - Margin.of(rows).width - @gap * length(shown)
    places = rows |> Enum.map(&Width.of(&1.place || "")) |> Enum.max()
    titled = Enum.zip(shown, titles(shown, Names.build(processes)))

    beside(rows, titled, available, places, Margin.of(rows)) || within(rows, titled, available) || :list
  end

  # Nodes in the order of their first processes.
  defp order(process, processes), do: Enum.find_index(processes, &(&1.node == process.node))

  # The places have a column of their own where the texts need not be broken much for it.
  defp beside(_rows, [], _available, _places, _margin), do: nil
  defp beside(_rows, _shown, _available, 0, _margin), do: nil

  defp beside(rows, shown, available, places, margin) do
    with {:table, columns} <- table(rows, shown, available - places - 1, & &1.text) do
      at = margin.width + Enum.sum(Enum.map(columns.processes, &(&1.width + @gap)))
      {:table, %{columns | place: {at, places}}}
    end
  end

  defp within(_rows, [], _available), do: nil

  defp within(rows, shown, available) do
    table(rows, shown, available, &Margin.with_place/1)
  end

  defp table(rows, titled, available, text) do
    needs = for {process, title} <- titled, do: need(rows, process, title, text)
    widths = Layout.fit(needs, max(available, 1))

    if Enum.sum(widths) <= available and readable?(needs, widths) do
      columns =
        for {{process, title}, width} <- Enum.zip(titled, widths), do: %{id: process.id, title: title, width: width}

      {:table, %{processes: columns, nodes: nodes(titled, widths), place: nil}}
    end
  end

  defp readable?(needs, widths) do
    Enum.all?(Enum.zip(needs, widths), fn {need, width} -> width >= min(need, @readable) end)
  end

  # Below the name of its node a process needs only its own.
  defp titles(shown, names) do
    several? = match?([_, _ | _], Enum.uniq(Enum.map(shown, & &1.node)))

    for process <- shown do
      if several?,
        do: String.replace_prefix(names[process.id], "#{Names.short(process.node)}:", ""),
        else: names[process.id]
    end
  end

  defp need(rows, process, title, text) do
    texts = for %{process: id} = row <- rows, id == process.id, do: text.(row)
    [title | texts] |> Enum.map(&longest_line/1) |> Enum.max() |> max(@titled)
  end

  defp longest_line(text), do: text |> String.split("\n") |> Enum.map(&Width.of/1) |> Enum.max()

  defp nodes(titled, widths) do
    titled
    |> Enum.map(&elem(&1, 0))
    |> Enum.zip(widths)
    |> Enum.chunk_by(fn {process, _width} -> process.node end)
    |> Enum.map(fn [{process, _} | _] = chunk ->
      {node_name(process.node), Enum.sum(Enum.map(chunk, &elem(&1, 1))) + @gap * (length(chunk) - 1)}
    end)
  end

  defp node_name(node) do
    case to_string(node) do
      @control -> ""
      name -> name
    end
  end
end
