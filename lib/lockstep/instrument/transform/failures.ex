defmodule Lockstep.Instrument.Transform.Failures do
  @moduledoc false
  # Calls of the runtime that fail as the redirected function would have failed.
  #
  # A function of the VM that fails is the top of the stack trace, with its arguments; below it stands the function
  # that called it, with the line. The function of the runtime in its place may have been called in tail position, and
  # then nothing is left of the caller. So:
  #
  #     try call Runtime:f(A) of R -> R
  #     catch <Class, Reason, Stack> -> call Stack:fail(Class, Reason, Stack, {erlang, f, [A]})

  alias Lockstep.Instrument.Transform
  alias Lockstep.Runtime.Stack

  # The first two are left by a tail call, as the originals are; `make_fun/3` is an instruction of the VM.
  @unwrapped [:apply, :hibernate, :make_fun]

  @doc "Whether a failure of the redirected function has to show the function itself."
  @spec show?(mfa()) :: boolean()
  def show?({module, function, arity}) do
    arity > 0 and function not in @unwrapped and (module == :erlang or :erlang.is_builtin(module, function, arity))
  end

  @doc "The call that `call` makes of the arguments, in the place of a call of `original`."
  @spec wrap([:cerl.cerl()], ([:cerl.cerl()] -> :cerl.cerl()), mfa(), %Transform{}) :: :cerl.cerl()
  def wrap(arguments, call, {module, function, _arity}, env) do
    bind(arguments, env, fn arguments ->
      [result, class, reason, raw, stack] = Enum.map(1..5, fn _ -> Transform.fresh_var(env) end)
      original = :cerl.c_tuple([:cerl.c_atom(module), :cerl.c_atom(function), :cerl.make_list(arguments)])
      fail = :cerl.c_call(:cerl.c_atom(Stack), :cerl.c_atom(:fail), [class, reason, stack, original])
      trace = :cerl.c_primop(:cerl.c_atom(:build_stacktrace), [raw])
      :cerl.c_try(call.(arguments), [result], result, [class, reason, raw], :cerl.c_let([stack], trace, fail))
    end)
  end

  @doc "Binds expressions to variables, in their order, so that they can be used more than once."
  @spec bind([:cerl.cerl()], %Transform{}, ([:cerl.cerl()] -> :cerl.cerl())) :: :cerl.cerl()
  def bind(expressions, env, fun) do
    {simple, bindings} = Enum.map_reduce(expressions, [], &simple(&1, &2, env))
    Enum.reduce(bindings, fun.(simple), fn {variable, value}, body -> :cerl.c_let([variable], value, body) end)
  end

  defp simple(expression, bindings, env) do
    if :cerl.type(expression) in [:var, :literal] do
      {expression, bindings}
    else
      variable = Transform.fresh_var(env)
      {variable, [{variable, expression} | bindings]}
    end
  end
end
