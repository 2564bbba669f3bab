defmodule Lockstep.Instrument.Transform.Guards do
  @moduledoc false
  # `self()`, `node()` and `node(X)` in guards, where no function of the runtime can be called.
  #
  # In Core every clause (of a function, `fun`, `case`, `if`, `receive`) is a clause of a `case`:
  #
  #   * `self()` and `node()` are bound to variables before it;
  #   * a clause whose guard asks for `node(X)` matches its pattern without the guard, evaluates the guard as an
  #     expression, and goes on with a local function that holds the remaining clauses if it does not hold:
  #
  #         letrec else/0 = fun () -> case Args of <rest> end
  #         in case Args of
  #              <before>
  #              P when 'true' -> case Guard of 'true' -> Body; _ -> apply else/0() end
  #              _ -> apply else/0()
  #            end

  alias Lockstep.Instrument.{Calls, Transform}
  alias Lockstep.Instrument.Transform.Values

  @doc "Instruments a `case`, its guards included."
  @spec case_expr(:cerl.c_case(), %Transform{}) :: :cerl.cerl()
  def case_expr(tree, env) do
    {clauses, bindings} = Enum.map_reduce(:cerl.case_clauses(tree), %{}, &hoist(&1, &2, env))
    body = argument(tree, Transform.expr(:cerl.case_arg(tree), env), clauses, env)
    Enum.reduce(bindings, body, fn {function, variable}, body -> bind(variable, function, body) end)
  end

  # The optimiser may have put an expression with several values here; `Values` wants them bound.
  defp argument(tree, argument, [first | _] = clauses, env) do
    if length(:cerl.clause_pats(first)) != 1 and Values.from_function?(argument) do
      variables = Enum.map(:cerl.clause_pats(first), fn _ -> Transform.fresh_var(env) end)
      Values.bind(variables, argument, dispatch(tree, :cerl.c_values(variables), clauses, env))
    else
      dispatch(tree, argument, clauses, env)
    end
  end

  ## self() and node()

  defp hoist(clause, bindings, env) do
    {guard, bindings} = :cerl_trees.mapfold(&replace(&1, &2, env), bindings, :cerl.clause_guard(clause))
    {update_clause(clause, guard, :cerl.clause_body(clause)), bindings}
  end

  defp replace(node, bindings, env) do
    case guard_call(node) do
      {function, 0} ->
        bindings = Map.put_new_lazy(bindings, function, fn -> Transform.fresh_var(env) end)
        {bindings[function], bindings}

      _ ->
        {guard_literal(node, env), bindings}
    end
  end

  # See `Transform.literal/2`; a guard holds no funs.
  defp guard_literal(node, %{module: :gen} = env) do
    if :cerl.is_literal(node), do: Transform.expr(node, env), else: node
  end

  defp guard_literal(node, _env), do: node

  defp bind(variable, function, body) do
    {:runtime, module, name} = Calls.classify(:erlang, function, 0)
    :cerl.c_let([variable], :cerl.c_call(:cerl.c_atom(module), :cerl.c_atom(name), []), body)
  end

  # The redirected functions that Erlang allows in guards.
  defp guard_call(node) do
    with :call <- :cerl.type(node),
         :erlang <- :cerl.concrete(:cerl.call_module(node)),
         name = :cerl.concrete(:cerl.call_name(node)),
         arity = :cerl.call_arity(node),
         true <- {name, arity} in [self: 0, node: 0, node: 1] do
      {name, arity}
    else
      _ -> nil
    end
  end

  ## node(X)

  defp dispatch(tree, argument, clauses, env) do
    case Enum.split_while(clauses, &(not lifted?(&1))) do
      {clauses, []} -> :cerl.update_c_case(tree, argument, Enum.map(clauses, &clause(&1, env)))
      {before, [lifted | rest]} -> lift(tree, argument, {before, lifted, rest}, env)
    end
  end

  @doc "Whether a guard somewhere in the expression has to be moved."
  @spec lifts?(:cerl.cerl()) :: boolean()
  def lifts?(tree), do: :cerl_trees.fold(&(&2 or (:cerl.type(&1) == :clause and lifted?(&1))), false, tree)

  defp lifted?(clause) do
    :cerl_trees.fold(&(&2 or guard_call(&1) == {:node, 1}), false, :cerl.clause_guard(clause))
  end

  defp lift(tree, argument, {before, lifted, rest}, env) do
    variables = Enum.map(:cerl.clause_pats(lifted), fn _ -> Transform.fresh_var(env) end)
    values = values(variables)
    function = Transform.local_function(env.frame, :jumped, 0)
    otherwise = :cerl.ann_c_apply(Transform.location_of(tree), function, [])
    wildcards = Enum.map(variables, fn _ -> Transform.fresh_var(env) end)

    clauses =
      Enum.map(before, &clause(&1, env)) ++
        [lifted_clause(lifted, otherwise, env), :cerl.ann_c_clause([:compiler_generated], wildcards, otherwise)]

    remaining = :cerl.c_fun([], remaining(tree, values, variables, rest, env))
    body = :cerl.c_letrec([{function, remaining}], :cerl.update_c_case(tree, values, clauses))
    if variables == [], do: body, else: :cerl.c_let(variables, argument, body)
  end

  defp lifted_clause(clause, otherwise, env) do
    holds = :cerl.c_clause([:cerl.c_atom(true)], Transform.expr(:cerl.clause_body(clause), env))
    fails = :cerl.ann_c_clause([:compiler_generated], [Transform.fresh_var(env)], otherwise)
    guard = Transform.expr(as_body(:cerl.clause_guard(clause), env), env)
    update_clause(clause, :cerl.c_atom(true), :cerl.c_case(guarded(guard, env), [holds, fails]))
  end

  # A guard that fails does not hold. The optimiser leaves out the `try` that says so.
  defp guarded(guard, env) do
    [value | reasons] = Enum.map(1..4, fn _ -> Transform.fresh_var(env) end)
    if :cerl.type(guard) == :try, do: guard, else: :cerl.c_try(guard, [value], value, reasons, :cerl.c_atom(false))
  end

  # In a guard `try` binds two variables on failure, in a body three.
  defp as_body(guard, env) do
    :cerl_trees.map(&if(:cerl.type(&1) == :try, do: body_try(&1, env), else: &1), guard)
  end

  defp body_try(tree, env) do
    variables = Enum.map(1..3, fn _ -> Transform.fresh_var(env) end)
    [argument, body, handler] = [:cerl.try_arg(tree), :cerl.try_body(tree), :cerl.try_handler(tree)]
    :cerl.update_c_try(tree, argument, :cerl.try_vars(tree), body, variables, handler)
  end

  # Without a clause left the compiler would have added the failure itself.
  defp remaining(_tree, _values, variables, [], _env) do
    :cerl.c_primop(:cerl.c_atom(:match_fail), [:cerl.c_tuple([:cerl.c_atom(:case_clause), :cerl.c_tuple(variables)])])
  end

  defp remaining(tree, values, _variables, rest, env), do: dispatch(tree, values, rest, env)

  defp values([variable]), do: variable
  defp values(variables), do: :cerl.c_values(variables)

  ## Shared

  defp clause(clause, env) do
    update_clause(clause, :cerl.clause_guard(clause), Transform.expr(:cerl.clause_body(clause), env))
  end

  defp update_clause(clause, guard, body) do
    :cerl.update_c_clause(clause, :cerl.clause_pats(clause), guard, body)
  end
end
