defmodule Lockstep.Report.References do
  @moduledoc false
  # What references stand for: tables that have no registered name, and calls that are answered with them.

  @call ~r/^send \{:"\$gen_call", \{#PID<[\d.]+>, (#Reference<[\d.]+>)\}/
  @table ~r/^ets\.new\(([^,]+), .*\) = (#Reference<[\d.]+>)$/s

  @doc "The names that tables were made with, by their printed references, and `{:call, reference}` for each call."
  @spec names([map()]) :: map()
  def names(events) do
    for event <- events, entry = entry(event), into: %{}, do: entry
  end

  defp entry(%{kind: :access, text: "ets.new(" <> _ = text}) do
    with [_, name, reference] <- Regex.run(@table, text), do: {reference, name}
  end

  defp entry(%{kind: :send, text: "send {:\"$gen_call" <> _ = text}) do
    with [_, reference] <- Regex.run(@call, text), do: {{:call, reference}, "call"}
  end

  defp entry(_event), do: nil
end
