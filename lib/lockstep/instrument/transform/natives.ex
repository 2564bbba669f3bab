defmodule Lockstep.Instrument.Transform.Natives do
  @moduledoc false
  # Functions that are implemented in C: their code in the module is never run.
  #
  # In a copy they are calls of the original's functions. Those of the VM itself do what the call table leaves alone;
  # those of a library, which the original has loaded for itself, are escapes like any other call of the outside world.

  alias Lockstep.Instrument.Transform
  alias Lockstep.Runtime.Escape

  @doc "Replaces the functions among `definitions` that the loaded module has from the VM or from a library."
  @spec replace([definition], module(), Transform.mode()) :: [definition]
        when definition: {:cerl.c_var(), :cerl.c_fun()}
  def replace(definitions, _module, :in_place), do: definitions

  def replace(definitions, module, :guest) do
    libraries = if :erlang.module_loaded(module), do: module.module_info(:nifs), else: []

    Enum.map(definitions, fn {variable, function} ->
      {name, arity} = :cerl.var_name(variable)

      cond do
        {name, arity} in libraries -> {variable, call(function, arity, &escape(module, name, &1))}
        :erlang.is_builtin(module, name, arity) -> {variable, call(function, arity, &original(module, name, &1))}
        true -> {variable, function}
      end
    end)
  end

  defp call(function, arity, body) do
    variables = Enum.map(1..arity//1, &:cerl.c_var(:"argument#{&1}"))
    :cerl.ann_c_fun(:cerl.get_ann(function), variables, body.(variables))
  end

  defp escape(module, name, arguments) do
    arguments = [:cerl.c_atom(module), :cerl.c_atom(name), :cerl.make_list(arguments), :cerl.c_atom(nil)]
    :cerl.c_call(:cerl.c_atom(Escape), :cerl.c_atom(:call), arguments)
  end

  # By `apply`, which the table knows nothing of, unlike a call by name.
  defp original(module, name, arguments) do
    :cerl.c_call(:cerl.c_atom(__MODULE__), :cerl.c_atom(:call_original), [
      :cerl.c_atom(module),
      :cerl.c_atom(name),
      :cerl.make_list(arguments)
    ])
  end

  @doc "Called by copies."
  @spec call_original(module(), atom(), [term()]) :: term()
  def call_original(module, name, arguments), do: apply(module, name, arguments)
end
