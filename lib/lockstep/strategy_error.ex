defmodule Lockstep.StrategyError do
  @moduledoc """
  A strategy written in Elixir (`Lockstep.Strategy`) has raised, or has chosen what there is not.

    * `:module` - the strategy
    * `:call` - the function that was called, as `{name, arity}`
    * `:problem` - `{:raised, kind, reason, stacktrace}`, or `{:answered, answer, expected}` with a text of what would have
      been right
  """

  @enforce_keys [:module, :call, :problem]
  defexception @enforce_keys

  @type t :: %__MODULE__{
          module: module(),
          call: {atom(), arity()},
          problem:
            {:raised, :error | :exit | :throw, term(), Exception.stacktrace()} | {:answered, term(), String.t()}
        }

  @impl true
  def message(%__MODULE__{module: module, call: {function, arity}, problem: problem}) do
    "the strategy #{problem(problem, Exception.format_mfa(module, function, arity))}"
  end

  defp problem({:raised, kind, reason, trace}, call),
    do: "#{call} failed:\n\n#{Exception.format(kind, reason, trace)}"

  defp problem({:answered, answer, expected}, call), do: "#{call} answered #{inspect(answer)}: expected #{expected}"
end
