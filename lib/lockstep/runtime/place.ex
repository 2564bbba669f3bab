defmodule Lockstep.Runtime.Place do
  @moduledoc false
  # Where in the program a function of ours was called. Instrumented code says so itself; for other callers the stack
  # has the nearest place, which a tail call may have taken away.

  alias Lockstep.Instrument
  alias Lockstep.Runtime.{DeepStack, Stack}

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
  The nearest code of the program on the caller's stack: no library of OTP's or Elixir's, and none of Lockstep's own.

  The file is relative to the project. `store` is the run's, which remembers what is a library.
  """
  @spec of_program(:ets.tid()) :: {file :: String.t(), line :: pos_integer()} | nil
  def of_program(store) do
    {:current_stacktrace, stack} = Process.info(self(), :current_stacktrace)

    case in_program(stack, store) do
      # The VM shows only the top of a stack.
      nil -> if length(stack) >= DeepStack.usual(), do: self() |> DeepStack.of() |> in_program(store)
      place -> place
    end
  end

  @doc "The first place of the program in a stack, as `of_program/1` gives it."
  @spec in_program(Exception.stacktrace(), :ets.tid()) :: {file :: String.t(), line :: pos_integer()} | nil
  def in_program([], _store), do: nil

  def in_program([{module, function, _, place} | stack], store) do
    cond do
      entry?(function) -> nil
      place[:line] in [nil, 0] or library?(Instrument.original(module), store) -> in_program(stack, store)
      true -> {relative(to_string(place[:file])), place[:line]}
    end
  end

  # Where `Lockstep.Case` enters the test: a line that the user has not written.
  defp entry?(function), do: String.starts_with?(Atom.to_string(function), ["__lockstep__", "__ex_unit__"])

  defp library?(module, store) do
    case :ets.lookup(store, {:library?, module}) do
      [{_, library?}] ->
        library?

      [] ->
        library? = own?(module) or delivered?(:code.which(module))
        :ets.insert(store, {{:library?, module}, library?})
        library?
    end
  end

  # Our own tests have such names too, and are programs all the same.
  defp own?(module) do
    String.starts_with?(Atom.to_string(module), ["Elixir.Lockstep.", "elixir_compiler_"]) and
      not Instrument.in_place?(module)
  end

  @doc "Whether a module's file, as `:code.which/1` gives it, is one of OTP's or Elixir's."
  @spec delivered?(charlist() | atom()) :: boolean()
  def delivered?(:preloaded), do: true
  def delivered?([_ | _] = file), do: List.starts_with?(file, :code.lib_dir()) or List.starts_with?(file, elixir())
  def delivered?(_), do: false

  # Elixir's applications lie beside each other: elixir, ex_unit, logger, mix. Where one of its modules was loaded from
  # stays, whatever becomes of the code path.
  defp elixir, do: Enum.reduce(1..3, :code.which(Kernel), fn _up, path -> :filename.dirname(path) end)

  defp relative("/" <> _ = file) do
    case Path.relative_to_cwd(file) do
      "/" <> _ -> Path.basename(file)
      relative -> relative
    end
  end

  defp relative(file), do: file

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
