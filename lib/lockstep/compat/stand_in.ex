defmodule Lockstep.Compat.StandIn do
  @moduledoc false
  # A module of the name that tests call, for projects in which there is none. It makes them compile; inside of runs its
  # functions are never called, because the call table has the calls go elsewhere.

  alias Lockstep.OutsideRunError

  @doc "Defines `module` with the functions of `target`, unless the project has a module of this name."
  @spec define(module(), module()) :: :ok
  def define(module, target) do
    unless Code.ensure_loaded?(module) do
      functions = for {name, arity} <- target.__info__(:functions), do: function(target, name, arity)
      Module.create(module, functions, Macro.Env.location(__ENV__))
    end

    :ok
  end

  defp function(target, name, arity) do
    args = Macro.generate_arguments(arity, __MODULE__)

    quote do
      @doc false
      def unquote(name)(unquote_splicing(args)), do: unquote(target).unquote(name)(unquote_splicing(args))
    end
  end

  @doc "Raises the error of a call outside of a run; `call` is what the test has called."
  @spec check_inside!(String.t()) :: Lockstep.Runtime.Context.t()
  def check_inside!(call), do: Lockstep.Runtime.Context.get() || raise(OutsideRunError, call: call)
end
