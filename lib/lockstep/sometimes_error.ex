defmodule Lockstep.SometimesError do
  @moduledoc """
  No seed of a sweep has met what should sometimes be so: see `Lockstep.sometimes/2`.

  Such a sweep has not tested what it was written for. Fields:

    * `:unmet` - a list of maps, each with `:name`, `:place` (`{file, line}` or `nil`) and `:reached`, the number of
      seeds in which the condition was looked at
    * `:summary` - the sweep, in which no run has failed
    * `:location` - where it was asked for: a map with `:file`, `:line`, `:module` and `:test`, or `nil`
  """

  alias Lockstep.Report.Time
  alias Lockstep.Runtime.Place

  defexception [:unmet, :summary, :location]

  @type unmet :: %{
          name: String.t() | atom(),
          place: {String.t() | charlist(), pos_integer()} | nil,
          reached: non_neg_integer()
        }
  @type t :: %__MODULE__{unmet: [unmet()], summary: Lockstep.Summary.t(), location: map() | nil}

  @impl true
  def message(%__MODULE__{} = error) do
    "in none of #{Time.count(error.summary.runs, "run")} was this so, which should sometimes be:\n\n" <>
      Enum.map_join(error.unmet, "\n", &("  * " <> line(&1))) <>
      "\n\nrun more seeds if it is only rare; otherwise make it possible, or take the claim back"
  end

  defp line(%{reached: 0, name: name}), do: "#{inspect(name)}: no run has come to a Lockstep.sometimes of that name"

  defp line(unmet) do
    "#{inspect(unmet.name)} at #{Place.format(unmet.place)}: looked at in #{Time.count(unmet.reached, "run")}"
  end
end
