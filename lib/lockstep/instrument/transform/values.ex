defmodule Lockstep.Instrument.Transform.Values do
  @moduledoc false
  # Expressions with several values that come out of a local function.
  #
  # A `receive` whose clauses export variables is a `letrec` with as many values. The compiler allows that only as
  # long as it is jumped to and never called (see `Transform.letrec`). As an ordinary function it has to return one
  # value, so the values travel in a tuple:
  #
  #     let <A, B> = letrec ... <X, Y> ... in Body   =>   case letrec ... {X, Y} ... of {A, B} -> Body end
  #
  # Works on instrumented trees.

  @doc "Binds the values of `argument` to the variables in `body`."
  @spec bind([:cerl.c_var()], :cerl.cerl(), :cerl.cerl()) :: :cerl.cerl()
  def bind(variables, argument, body), do: rebind(:cerl.c_let(variables, argument, body))

  @doc "As `bind/3`, for a `let` that is there already."
  @spec rebind(:cerl.c_let()) :: :cerl.cerl()
  def rebind(tree) do
    variables = :cerl.let_vars(tree)

    if length(variables) != 1 and from_function?(:cerl.let_arg(tree)) do
      clause = :cerl.c_clause([:cerl.c_tuple(variables)], :cerl.let_body(tree))
      :cerl.ann_c_case(:cerl.get_ann(tree), in_tuple(:cerl.let_arg(tree)), [clause])
    else
      tree
    end
  end

  @doc "Whether the value of the expression may be that of a local function."
  @spec from_function?(:cerl.cerl()) :: boolean()
  def from_function?(tree) do
    case :cerl.type(tree) do
      :letrec -> :letrec_goto not in :cerl.get_ann(tree)
      :let -> from_function?(:cerl.let_body(tree))
      :seq -> from_function?(:cerl.seq_body(tree))
      :case -> Enum.any?(:cerl.case_clauses(tree), &from_function?(:cerl.clause_body(&1)))
      :try -> Enum.any?([:cerl.try_body(tree), :cerl.try_handler(tree)], &from_function?/1)
      _ -> false
    end
  end

  # What is left alone either calls a function that is converted itself, or never returns.
  defp in_tuple(tree) do
    case :cerl.type(tree) do
      :values -> :cerl.c_tuple(:cerl.values_es(tree))
      :let -> :cerl.update_c_let(tree, :cerl.let_vars(tree), :cerl.let_arg(tree), in_tuple(:cerl.let_body(tree)))
      :seq -> :cerl.update_c_seq(tree, :cerl.seq_arg(tree), in_tuple(:cerl.seq_body(tree)))
      :case -> :cerl.update_c_case(tree, :cerl.case_arg(tree), Enum.map(:cerl.case_clauses(tree), &clause/1))
      :letrec -> letrec(tree)
      :try -> try_expr(tree)
      _ -> tree
    end
  end

  defp clause(tree) do
    :cerl.update_c_clause(
      tree,
      :cerl.clause_pats(tree),
      :cerl.clause_guard(tree),
      in_tuple(:cerl.clause_body(tree))
    )
  end

  defp letrec(tree) do
    definitions =
      for {name, function} <- :cerl.letrec_defs(tree) do
        {name, :cerl.update_c_fun(function, :cerl.fun_vars(function), in_tuple(:cerl.fun_body(function)))}
      end

    :cerl.update_c_letrec(tree, definitions, in_tuple(:cerl.letrec_body(tree)))
  end

  defp try_expr(tree) do
    :cerl.update_c_try(
      tree,
      :cerl.try_arg(tree),
      :cerl.try_vars(tree),
      in_tuple(:cerl.try_body(tree)),
      :cerl.try_evars(tree),
      in_tuple(:cerl.try_handler(tree))
    )
  end
end
