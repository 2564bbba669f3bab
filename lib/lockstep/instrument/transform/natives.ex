defmodule Lockstep.Instrument.Transform.Natives do
  @moduledoc false
  # Functions that are implemented in C.
  #
  # The library that has them was loaded by the original, for the original. In a copy they are calls of the original's
  # functions, and escapes like any other call of the outside world.

  alias Lockstep.Runtime.Escape

  @doc "Replaces the functions among `definitions` that the loaded module has from a library."
  @spec replace([definition], module(), Lockstep.Instrument.Transform.mode()) :: [definition]
        when definition: {:cerl.c_var(), :cerl.c_fun()}
  def replace(definitions, _module, :in_place), do: definitions

  def replace(definitions, module, :guest) do
    natives = natives(module)
    Enum.map(definitions, fn {name, _} = definition -> replace(definition, module, :cerl.var_name(name), natives) end)
  end

  defp natives(module), do: if(:erlang.module_loaded(module), do: module.module_info(:nifs), else: [])

  defp replace({name, function} = definition, module, {atom, arity} = id, natives) do
    if id in natives, do: {name, escape(function, module, atom, arity)}, else: definition
  end

  defp escape(function, module, name, arity) do
    variables = Enum.map(1..arity//1, &:cerl.c_var(:"argument#{&1}"))
    arguments = [:cerl.c_atom(module), :cerl.c_atom(name), :cerl.make_list(variables), :cerl.c_atom(nil)]
    call = :cerl.c_call(:cerl.c_atom(Escape), :cerl.c_atom(:call), arguments)
    :cerl.ann_c_fun(:cerl.get_ann(function), variables, call)
  end
end
