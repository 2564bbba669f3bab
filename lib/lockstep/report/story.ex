defmodule Lockstep.Report.Story do
  @moduledoc false
  # The story of a run: the events of its slice as a table with one column a process, under the processes' nodes, or,
  # where the columns would be too narrow to read, as a list.

  alias Lockstep.Report.{Facts, Layout, Time}
  alias Lockstep.Report.Story.{Columns, Grid, Listing, Rows}

  @typedoc "`:process` is `nil` for what concerns the whole cluster, `:step` and `:time` for how the run ended."
  @type row :: %{
          step: pos_integer() | nil,
          time: non_neg_integer() | nil,
          process: non_neg_integer() | nil,
          text: String.t(),
          place: String.t() | nil,
          mark: boolean(),
          fails: boolean()
        }

  # A table may have so many lines for each row, in the mean: one that breaks nearly every cell is read slower than a
  # list.
  @lines_of_table 1.8
  @head 3

  @doc "The story, at most `width` columns wide."
  @spec format(Facts.t(), pos_integer()) :: String.t()
  def format(%{slice: %{events: []}}, _width), do: "(no steps)"

  def format(%{slice: slice} = facts, width) do
    Enum.join(body(Rows.of(facts), facts, width) ++ left_out(slice, stored(facts.failure), width), "\n")
  end

  defp body(rows, facts, width) do
    with {:table, columns} <- Columns.fit(rows, facts.processes, width),
         lines = Grid.lines(rows, columns, width),
         true <- length(lines) <= @head + @lines_of_table * length(rows) do
      lines
    else
      _ -> Listing.lines(rows, facts.names, width)
    end
  end

  # What is stored is the failure that was found, and not a replay that has left its path.
  defp stored(%{file: file, replayed: nil}), do: file
  defp stored(%{file: file, replayed: %{divergence: nil, stored: %{trace: trace}}}) when trace != nil, do: file
  defp stored(_failure), do: nil

  defp left_out(%{earlier: 0, others: 0}, _file, _width), do: []

  # The command is not broken: it is there to be pasted.
  defp left_out(slice, file, width) do
    total = length(slice.events) + slice.earlier + slice.others
    text = "#{Time.count(length(slice.events), "event")} of #{Time.digits(total)}#{which(slice)}"

    if file,
      do:
        ["" | Layout.wrap("#{text}; all steps:", width, :infinity)] ++
          ["", "  mix lockstep.trace --full #{Path.relative_to_cwd(file)}"],
      else: ["" | Layout.wrap("#{text}; the trace: option writes all steps to a file", width, :infinity)]
  end

  defp which(%{earlier: 0}), do: ": the others did not lead to the failure"

  defp which(%{earlier: earlier}),
    do: ": those nearest to the failure or with its values; #{Time.digits(earlier)} more led to it"
end
