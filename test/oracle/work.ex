defmodule Oracle.Work do
  @moduledoc false
  # What scenarios let other nodes do by name.

  def value(value), do: value
  def error(reason), do: :erlang.error(reason)
  def exit(reason), do: Kernel.exit(reason)
  def throw(value), do: Kernel.throw(value)

  def killed do
    Process.exit(self(), :kill)
    Process.sleep(:infinity)
  end

  def slow(milliseconds), do: Process.sleep(milliseconds)

  def slow_send(milliseconds, to) do
    Process.sleep(milliseconds)
    send(to, :went_on)
  end

  @doc "Resolvers of global names: one that keeps the first, one that keeps the second, three that do neither."
  def keep_first(_name, first, _second), do: first
  def keep_second(_name, _first, second), do: second
  def keep_none(_name, _first, _second), do: :none
  def keep_nonsense(_name, _first, _second), do: :nonsense
  def crash(_name, _first, _second), do: :erlang.error(:crash)
end
