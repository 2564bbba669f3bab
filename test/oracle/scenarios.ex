defmodule Oracle.Scenarios do
  @moduledoc false
  # All scenarios, in the order of the rules.

  alias Oracle.Scenarios

  @modules [
    Scenarios.Order,
    Scenarios.Connections,
    Scenarios.Events,
    Scenarios.Silence,
    Scenarios.Signals,
    Scenarios.Processes,
    Scenarios.Calls,
    Scenarios.Global,
    Scenarios.Partitions,
    Scenarios.Groups,
    Scenarios.Database
  ]

  def all, do: Enum.flat_map(@modules, & &1.scenarios())

  @doc "Scenarios whose titles contain one of the texts; all, if there is no text."
  def matching([]), do: all()
  def matching(texts), do: Enum.filter(all(), &String.contains?(&1.title, texts))
end
