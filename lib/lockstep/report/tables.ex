defmodule Lockstep.Report.Tables do
  @moduledoc false
  # ETS tables that are known by a reference only are called by the name that they were made with.

  @doc "Those names, by the printed references."
  @spec names([map()]) :: %{optional(String.t()) => String.t()}
  def names(events) do
    for %{kind: :access, text: "ets.new(" <> rest} <- events,
        [_, name, reference] <- [Regex.run(~r/^([^,]+), .*\) = (#Reference<[\d.]+>)$/s, rest)],
        into: %{},
        do: {reference, name}
  end
end
