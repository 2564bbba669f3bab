defmodule Lockstep.NondeterminismError do
  @moduledoc """
  Two runs of one seed differed, so something in them is not under control.

  Fields:

    * `:seed` - the seed
    * `:step` - the first step that differs, `nil` when the recorded steps are the same,
      `:choices` when what could happen differed in a search of all interleavings
    * `:first`, `:second` - the event of each run at that step, as a map, or `nil` where a run had ended before
    * `:processes` - the processes of the first run, to name those of the events
  """

  alias Lockstep.Report.{Names, Time}

  defexception [:seed, :step, :first, :second, processes: []]

  @type t :: %__MODULE__{
          seed: non_neg_integer(),
          step: non_neg_integer() | :choices | nil,
          first: map() | nil,
          second: map() | nil,
          processes: [map()]
        }

  @impl true
  def message(%__MODULE__{step: :choices}) do
    "a run whose choices were so far those of an earlier one could go on in other ways than that; " <> remedy()
  end

  def message(%__MODULE__{step: nil} = error) do
    "two runs of seed #{error.seed} went the same way but ended differently; #{remedy()}"
  end

  def message(%__MODULE__{} = error) do
    names = Names.build(error.processes)

    "two runs of seed #{error.seed} first differ at step #{error.step}:\n\n" <>
      "  first run:  #{event(error.first, names)}\n" <>
      "  second run: #{event(error.second, names)}\n\n" <> remedy()
  end

  defp event(nil, _names), do: "had ended"

  defp event(event, names) do
    "#{Names.actor(event, names)}: #{event.text} (at #{Time.ms(event.time)} ms#{place(event[:place])})"
  end

  defp place(nil), do: ""
  defp place({file, line}), do: ", #{file}:#{line}"

  defp remedy do
    "something before it comes from outside the run: a value made before the run and changed by it, " <>
      "an uncontrolled source such as a counter or a file; make it inside the function"
  end
end
