defmodule Lockstep.Runtime.Place do
  @moduledoc false
  # Where in the program a function of ours was called. Instrumented code says so itself; for other callers the stack
  # has the nearest place, which a tail call may have taken away.

  alias Lockstep.Runtime.Stack

  @type t :: {file :: String.t() | charlist(), line :: pos_integer()} | nil

  @doc "The nearest code on the stack that is none of Lockstep's own."
  @spec of_caller() :: t()
  def of_caller do
    {:current_stacktrace, [_info | stack]} = Process.info(self(), :current_stacktrace)

    Enum.find_value(stack, fn {module, _, _, place} = frame ->
      unless module == Lockstep or Stack.own?(frame) or place[:line] in [nil, 0], do: {place[:file], place[:line]}
    end)
  end

  @doc """
  A place as text.

  ## Examples

      iex> Lockstep.Runtime.Place.format({"test/store_test.exs", 12})
      "test/store_test.exs:12"

  """
  @spec format(t()) :: String.t()
  def format(nil), do: "unknown place"
  def format({file, line}), do: "#{Path.relative_to_cwd(to_string(file))}:#{line}"
end
