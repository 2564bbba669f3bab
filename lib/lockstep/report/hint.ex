defmodule Lockstep.Report.Hint do
  @moduledoc false
  # What those who are new to Lockstep run into: a name that only a process of the host has, of the project's own
  # application, say, which `mix test` has started. A run has none of these.

  alias Lockstep.ProcessFailure
  alias Lockstep.Report.{Colour, Layout}

  @doc "What the error may come of, if that can be told."
  @spec format(map(), pos_integer()) :: [String.t()]
  def format(%{error: error}, width) do
    for name <- missing(error), is_pid(Process.whereis(name)), do: Colour.paint(:yellow, text(name, width))
  end

  defp text(name, width) do
    Layout.paragraphs(
      "#{inspect(name)} is the name of a process outside of the run, which a run does not see: start it in the test " <>
        "(start_supervised/1), or its application (Application.ensure_all_started/1)",
      width
    )
  end

  defp missing({:crash, :exit, reason, _stack}), do: called(reason)
  defp missing({:crash, :error, :badarg, [{:erlang, :send, [name | _], _} | _]}) when is_atom(name), do: [name]
  defp missing(%ProcessFailure{kind: :crash, reason: reason}), do: called(reason)
  defp missing(_error), do: []

  defp called({:noproc, {_module, _function, [name | _]}}) when is_atom(name), do: [name]
  defp called({{:noproc, call}, _stack}), do: called({:noproc, call})
  defp called(_reason), do: []
end
