defmodule Lockstep.Runner.Warning do
  @moduledoc false
  # What a user should know of a run that passes: said on the standard error, once for each place in the code.

  alias Lockstep.EscapeError
  alias Lockstep.Report.Layout
  alias Lockstep.Runner.Terminal

  @table __MODULE__

  @doc "Creates the table of what has been said, owned by the caller."
  @spec create_table() :: :ok
  def create_table do
    :ets.new(@table, [:named_table, :public])
    :ok
  end

  @doc "Warns of the escapes of a run that have not been warned of in this VM."
  @spec escapes([{Lockstep.Summary.place(), pos_integer()}]) :: :ok
  def escapes(escapes) do
    for {place, _count} <- escapes, :ets.insert_new(@table, {place}), do: warn(place)
    :ok
  end

  @doc "Says that a node is gone which took part in a sweep."
  @spec lost(node()) :: :ok
  def lost(node), do: IO.puts(:stderr, "lockstep: the node #{node} is lost; others run its seeds")

  @doc "Says of a search that was to be complete how far it has got."
  @spec incomplete(Lockstep.Summary.t()) :: :ok
  def incomplete(summary), do: IO.puts(:stderr, Layout.paragraphs("lockstep: #{summary}", Terminal.text_width()))

  defp warn({module, function, arity, location}) do
    text =
      "lockstep: #{EscapeError.describe(module, function, arity, location)}: the same seed may not give the same run. " <>
        "Say Lockstep.host(fn -> ... end) around a call that does no harm; escapes: :allow or :raise for all of them"

    IO.puts(:stderr, Layout.paragraphs(text, Terminal.text_width()))
  end
end
