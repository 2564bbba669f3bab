defmodule Lockstep.Runner.Function do
  @moduledoc false
  # Whether a function can be run under control. All of this is asked before anything starts.

  alias Lockstep.Instrument

  @doc "Raises an `ArgumentError` that says what is wrong with `fun`, if something is."
  @spec check!(term()) :: :ok
  def check!(fun) when is_function(fun, 0) do
    case Function.info(fun, :type) do
      {:type, :external} -> :ok
      {:type, :local} -> fun |> Function.info(:module) |> elem(1) |> check_module!(fun)
    end
  end

  def check!(fun) when is_function(fun) do
    {:arity, arity} = Function.info(fun, :arity)

    raise ArgumentError,
          "a run needs a function without arguments, got #{inspect(fun)}, which takes #{arity}; wrap it: " <>
            "fn -> fun.(#{Enum.map_join(1..arity, ", ", &"arg#{&1}")}) end"
  end

  def check!(other) do
    raise ArgumentError, "a run needs a function without arguments, got #{inspect(other)}; give fn -> ... end"
  end

  defp check_module!(module, fun) do
    cond do
      Instrument.in_place?(module) or Instrument.original(module) != module -> :ok
      typed_in?(module) -> raise ArgumentError, typed_in_message(fun)
      true -> raise ArgumentError, not_instrumented_message(module)
    end
  end

  # Code from iex is evaluated; that of a script's top level is compiled into a module of the compiler's.
  defp typed_in?(module) do
    module in [:erl_eval, :elixir, :elixir_eval, :elixir_erl_eval] or
      module |> Atom.to_string() |> String.starts_with?("elixir_compiler_")
  end

  defp typed_in_message(fun) do
    "#{inspect(fun)} was typed into iex or stands outside of any module in a script, where it cannot be " <>
      "instrumented; put it into a module with `use Lockstep` and run &That.Module.function/0"
  end

  defp not_instrumented_message(module) do
    "the function to run is defined in #{inspect(module)}, which is not instrumented: its sends and receives would " <>
      "be invisible; add `use Lockstep.Case` (a test) or `use Lockstep` (any other module) to #{inspect(module)}, " <>
      "or run a named function, &That.Module.function/0"
  end
end
