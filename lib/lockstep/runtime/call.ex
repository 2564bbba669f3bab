defmodule Lockstep.Runtime.Call do
  @moduledoc false
  # Calls whose target is known only when they happen. The call table decides, as it does for static calls at
  # transform time.

  import Kernel, except: [apply: 2, apply: 3]

  alias Lockstep.{Compat, Instrument}
  alias Lockstep.Instrument.Calls
  alias Lockstep.Runtime.{Context, Escape}

  # What stands for a captured function has to be a fun of the same arity.
  @max_escaping_arity 8

  @doc "`:erlang.apply/3`, and every call of a module or function held in a variable."
  @spec apply(module(), atom(), [term()]) :: term()
  def apply(module, function, args) when is_atom(module) and is_atom(function) and length(args) >= 0 do
    if Context.inside?(), do: inside(module, function, args), else: :erlang.apply(module, function, args)
  end

  # Whatever is wrong with the arguments, the VM says it best.
  def apply(module, function, args), do: :erlang.apply(module, function, args)

  defp inside(module, function, args) do
    case Calls.listed(module, function, length(args)) do
      # What needs no guest is its own, and that is remembered.
      class when class in [nil, :guest] -> :erlang.apply(Instrument.guest(module), function, args)
      :native -> :erlang.apply(module, function, args)
      {:runtime, to, name} -> :erlang.apply(to, name, args)
      {:placed, _to, _name} -> :erlang.apply(module, function, args)
      {:compat, target} -> :erlang.apply(stand_in(module, target), function, args)
      :escape -> Escape.call(module, function, args, nil)
      :refuse -> Escape.refuse(module, function, args, nil)
    end
  end

  defp stand_in(module, target), do: if(Compat.installed?(), do: target, else: Instrument.guest(module))

  @doc "`:erlang.apply/2`. A fun of the form `&Mod.fun/1` is a dynamic call in disguise."
  @spec apply(function(), [term()]) :: term()
  def apply(fun, args) when is_function(fun) and length(args) >= 0 do
    case :erlang.fun_info(fun, :type) do
      {:type, :external} ->
        {:module, module} = :erlang.fun_info(fun, :module)
        {:name, name} = :erlang.fun_info(fun, :name)
        if is_function(fun, length(args)), do: apply(module, name, args), else: :erlang.apply(fun, args)

      {:type, :local} ->
        :erlang.apply(callable(fun), args)
    end
  end

  def apply(fun, args), do: :erlang.apply(fun, args)

  @doc """
  The fun to call for `fun`.

  A closure that uninstrumented code has made, outside of the run, acts on the real world unseen: it is an escape.
  """
  @spec callable(term()) :: term()
  def callable(fun) when is_function(fun) do
    {:module, module} = :erlang.fun_info(fun, :module)
    # Nearly always: so this comes before anything that costs more.
    if Instrument.controlled?(module), do: fun, else: outsider(fun, module, Context.get())
  end

  def callable(other), do: other

  defp outsider(fun, _module, nil), do: fun

  defp outsider(fun, module, ctx) do
    {:name, name} = :erlang.fun_info(fun, :name)
    {:arity, arity} = :erlang.fun_info(fun, :arity)

    case :erlang.fun_info(fun, :type) do
      {:type, :external} ->
        capture(module, name, arity)

      {:type, :local} ->
        Escape.note(ctx, module, name, arity, nil)
        fun
    end
  end

  @doc "`:erlang.make_fun/3`: captures the function that a call would reach."
  @spec make_fun(module(), atom(), arity()) :: function()
  def make_fun(module, function, arity) when is_atom(module) and is_atom(function) and arity in 0..255 do
    if Context.inside?(), do: capture(module, function, arity), else: :erlang.make_fun(module, function, arity)
  end

  def make_fun(module, function, arity), do: :erlang.make_fun(module, function, arity)

  defp capture(module, function, arity) do
    case Calls.classify(module, function, arity) do
      :guest -> :erlang.make_fun(Instrument.guest(module), function, arity)
      :native -> :erlang.make_fun(module, function, arity)
      {:runtime, to, name} -> :erlang.make_fun(to, name, arity)
      {:placed, _to, _name} -> :erlang.make_fun(module, function, arity)
      {:compat, target} -> :erlang.make_fun(stand_in(module, target), function, arity)
      class -> escaping(class, module, function, arity)
    end
  end

  # To capture a function is harmless; only its call is an escape.
  for arity <- 0..@max_escaping_arity do
    args = Macro.generate_arguments(arity, __MODULE__)

    defp escaping(:escape, module, function, unquote(arity)) do
      fn unquote_splicing(args) -> Escape.call(module, function, unquote(args), nil) end
    end

    defp escaping(:refuse, module, function, unquote(arity)) do
      fn unquote_splicing(args) -> Escape.refuse(module, function, unquote(args), nil) end
    end
  end

  defp escaping(_class, module, function, arity), do: Escape.refuse(module, function, List.duplicate(nil, arity), nil)
end
