defmodule Lockstep.Report.Slice.Touch do
  @moduledoc false
  # The shared things that events touch: entries of tables and the like, and registered names.

  @type part :: non_neg_integer() | :all
  @type t :: {term(), part()}

  @half 0x1_0000_0000

  @doc """
  What an event touches: the whole, and the part of it or `:all`; `nil` if it touches nothing of the kind.

  The number of an accessed table is in the upper half of an event's object, that of the entry in the lower one, where 0
  is all of the table. What is no table has one number, and 0 is what stands for nothing in particular.
  """
  @spec of(map()) :: t() | nil
  def of(%{kind: :access, object: 0}), do: nil
  def of(%{kind: :access, object: object}) when object < @half, do: {{:shared, object}, :all}

  def of(%{kind: :access, object: object}) do
    part = rem(object, @half)
    {{:table, div(object, @half)}, if(part == 0, do: :all, else: part)}
  end

  def of(%{kind: kind} = event) when kind in [:register, :unregister, :whereis] do
    {{:name, event.node, event.object}, :all}
  end

  def of(_event), do: nil

  @doc "Whether the event changes what it touches."
  @spec changes?(map()) :: boolean()
  def changes?(%{kind: :access, detail: detail}), do: detail == 1
  def changes?(%{kind: kind}), do: kind in [:register, :unregister]

  @doc "Whether two parts of the same thing have something in common."
  @spec overlap?(part(), part()) :: boolean()
  def overlap?(one, other), do: one == other or :all in [one, other]

  @doc """
  What several processes touch while at least one of them changes it.

  That a server has a name and others look it up is nothing to tell: a name is in it if two processes have changed whose
  it is.
  """
  @spec contended([map()]) :: MapSet.t(t())
  def contended(events) do
    touches = for event <- events, touch = of(event), do: {touch, {event.process, changes?(event)}}
    by = touches |> Enum.uniq() |> Enum.group_by(&elem(&1, 0), &elem(&1, 1))

    for {{whole, _part} = touch, _by} <- by, contended?(whole, overlapping(touch, by)), into: MapSet.new(), do: touch
  end

  defp overlapping({whole, :all}, by), do: for({{^whole, _part}, by} <- by, who <- by, do: who)
  defp overlapping({whole, _part} = touch, by), do: by[touch] ++ Map.get(by, {whole, :all}, [])

  defp contended?({:name, _node, _name}, by), do: several?(for {process, true} <- by, do: process)

  defp contended?(_whole, by) do
    several?(Enum.map(by, &elem(&1, 0))) and Enum.any?(by, &elem(&1, 1))
  end

  defp several?(processes), do: match?([_, _ | _], Enum.uniq(processes))
end
