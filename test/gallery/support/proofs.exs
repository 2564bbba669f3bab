defmodule Gallery.Proofs do
  @moduledoc """
  Which corrected programs have none of their interleavings fail, and what is written of that into `docs/gallery.md`.

  A twin is proved only if `strategy: :exhaustive` shows the bug where there is one: of a bug that it cannot show, because
  that takes time, faults or other random numbers, a clean twin says nothing.

  A row is `{program, proof()}`.
  """

  alias Gallery.Search
  alias Lockstep.Options.Type

  @file_name "docs/gallery.md"
  @begin "<!-- the proofs: mix lockstep.gallery --exhaustive --markdown -->"
  @end_ "<!-- end of the proofs -->"

  @typedoc """
  What all interleavings of a program say:

    * `{:proved, found, all}` - its bug shows in the interleaving of this number, and the twin has so many, all clean
    * `{:open, found}` - the bug shows, and the twin has more than were allowed
    * `:not_found` - the bug has not shown in as many as were allowed
    * `:not_shown` - the bug shows in none of all interleavings
    * `{:failed, failure}` - the twin fails
  """
  @type proof ::
          {:proved, pos_integer(), pos_integer()}
          | {:open, pos_integer()}
          | :not_found
          | :not_shown
          | {:failed, Exception.t()}

  @doc "Explores all interleavings of a program and of its twin, of each `most` at most."
  @spec prove(map(), pos_integer()) :: proof()
  def prove(program, most) do
    [bug, twin] = Search.interleavings(program, most)

    case {bug, twin} do
      {_bug, {:failed, failure}} -> {:failed, failure}
      {{:found, found}, {:all, all}} -> {:proved, found, all}
      {{:found, found}, :more} -> {:open, found}
      {:more, _twin} -> :not_found
      {_clean_or_refused, _twin} -> :not_shown
    end
  end

  @doc "The first line of what is printed."
  @spec header() :: String.t()
  def header, do: line("program", "found at", "twin")

  @doc "The line of one program."
  @spec row(map(), proof(), pos_integer()) :: String.t()
  def row(program, {:proved, found, all}, _most), do: line(program.name, digits(found), "all #{digits(all)} clean")
  def row(program, {:open, found}, most), do: line(program.name, digits(found), "more than #{digits(most)}")
  def row(program, :not_found, most), do: line(program.name, "not in #{digits(most)}", "")
  def row(program, :not_shown, _most), do: line(program.name, "in none", "")
  def row(program, {:failed, _}, _most), do: line(program.name, "", "FAILED")

  defp line(name, found, twin) do
    String.trim_trailing(String.pad_trailing(name, 34) <> String.pad_leading(found, 20) <> "  " <> twin)
  end

  @doc "Writes what was proved into the documentation, between its two markers."
  @spec write!([{map(), proof()}], pos_integer(), Path.t()) :: :ok
  def write!(rows, most, file \\ @file_name) do
    [before, rest] = file |> File.read!() |> String.split(@begin)
    [_old, behind] = String.split(rest, @end_)
    parts = [@begin, table(rows), open(rows, most), not_found(rows, most), not_shown(rows), @end_]
    File.write!(file, before <> Enum.join(Enum.reject(parts, &(&1 == nil)), "\n\n") <> behind)
  end

  defp table(rows) do
    proved =
      for {program, {:proved, found, all}} <- rows, do: "| `#{program.name}` | #{digits(found)} | #{digits(all)} |"

    head = [
      "| program | the bug shows in interleaving | interleavings of the twin, all clean |",
      "| --- | --- | --- |"
    ]

    Enum.join(head ++ proved, "\n")
  end

  defp open(rows, most) do
    names = for {program, {:open, _found}} <- rows, do: program
    listed("The bug shows, and the twin has more than #{digits(most)} interleavings", names)
  end

  defp not_found(rows, most) do
    listed(
      "The bug is not among the first #{digits(most)} interleavings",
      for({program, :not_found} <- rows, do: program)
    )
  end

  defp not_shown(rows) do
    listed(
      "The order of events alone does not show the bug, for it takes time, faults or other random numbers",
      for({program, :not_shown} <- rows, do: program)
    )
  end

  defp listed(_what, []), do: nil
  defp listed(what, programs), do: what <> ": " <> Enum.map_join(programs, ", ", &"`#{&1.name}`") <> "."

  defp digits(number), do: number |> Type.digits() |> String.replace("_", ",")
end
