defmodule Lockstep.Instrument.Transform.Receives do
  @moduledoc false
  # `receive`, which in Core is a loop over the mailbox:
  #
  #     letrec recv/0 = fun () ->
  #       let <Found, Message> = primop recv_peek_message()
  #       in case Found of
  #            true -> case Message of
  #                      <pattern> -> do primop remove_message() <body>
  #                      Other     -> do primop recv_next() apply recv/0()
  #                    end
  #            false -> let Up = primop recv_wait_timeout(Timeout)
  #                     in case Up of true -> <after>; false -> apply recv/0() end
  #          end
  #     in apply recv/0()
  #
  # Where the loop stands in the mailbox is a matter of the primops. Here it is one of the loop's own arguments, as
  # `Lockstep.Runtime.Mailbox` explains them, so that to pass over a message costs next to nothing:
  #
  #     let <Rest0, Scan0> = Mailbox:start(...)
  #     in letrec recv/3 = fun (Rest, Seen, Scan) -> ... in apply recv/3(Rest0, [], Scan0)

  alias Lockstep.Instrument.Transform
  alias Lockstep.Runtime.Mailbox

  @peek :recv_peek_message
  @wait :recv_wait_timeout
  @next :recv_next

  @doc "Whether there is a `receive` in the expression."
  @spec any?(:cerl.cerl()) :: boolean()
  def any?(tree), do: :cerl_trees.fold(&(&2 or primop?(&1, [@peek, @wait])), false, tree)

  @doc "Whether a `letrec` is the loop of a `receive`."
  @spec loop?(:cerl.c_letrec()) :: boolean()
  def loop?(tree) do
    with [{name, function}] <- :cerl.letrec_defs(tree), 0 <- :cerl.fname_arity(name) do
      primop?(first(:cerl.fun_body(function)), [@peek, @wait])
    else
      _other -> false
    end
  end

  defp first(tree) do
    case :cerl.type(tree) do
      :let -> :cerl.let_arg(tree)
      :case -> :cerl.case_arg(tree)
      _other -> tree
    end
  end

  @doc "Whether an expression waits for messages."
  @spec wait?(:cerl.cerl()) :: boolean()
  def wait?(tree), do: primop?(tree, [@wait])

  @doc "Whether a sequence begins with passing over a message."
  @spec next?(:cerl.c_seq()) :: boolean()
  def next?(tree), do: primop?(:cerl.seq_arg(tree), [@next])

  defp primop?(tree, names), do: :cerl.type(tree) == :primop and :cerl.concrete(:cerl.primop_name(tree)) in names

  @doc """
  Instruments the loop of a `receive`.

  The annotation `letrec_goto` promises the compiler that the function is only ever jumped to. With calls in place of the
  primops that promise is broken, and the compiled code would corrupt the stack.
  """
  @spec letrec(:cerl.c_letrec(), %Transform{}) :: :cerl.cerl()
  def letrec(tree, env) do
    [{name, function}] = :cerl.letrec_defs(tree)
    named = Transform.local_function(env.frame, :jumped, 3)
    # In front come the clauses of the receive, and before them the line of the receive itself.
    env = %{env | receive: Transform.location_of(tree), names: Map.put(env.names, :cerl.var_name(name), named)}
    [rest, seen, scan, begun] = variables(env, 4)
    inside = %{env | loop: {:cerl.var_name(named), [rest, seen, scan]}}
    function = :cerl.c_fun([rest, seen, scan], Transform.expr(:cerl.fun_body(function), inside))

    [rest, scan] = variables(env, 2)
    outside = %{env | loop: {:cerl.var_name(named), [rest, :cerl.c_nil(), scan]}}
    body = Transform.expr(:cerl.letrec_body(tree), outside)
    annotations = :cerl.get_ann(tree) -- [:letrec_goto, :no_inline]
    loop = :cerl.ann_c_letrec(annotations, [{named, function}], body)
    :cerl.c_let([begun], start(tree, env), elements(begun, [rest, scan], loop))
  end

  defp start(tree, env) do
    case {timeout(tree), key(tree)} do
      {nil, nil} -> mailbox(:start, [], env)
      {timeout, key} -> mailbox(:start, [timeout || :cerl.c_atom(:infinity), key || :cerl.c_nil()], env)
    end
  end

  # How long it waits, where that may be not at all.
  defp timeout(tree) do
    [{_name, function}] = :cerl.letrec_defs(tree)
    timeout = timeout_of(function)
    if timeout && not (:cerl.is_literal(timeout) and :cerl.concrete(timeout) != 0), do: timeout
  end

  # That of the receive itself, and not of those within it.
  defp timeout_of(tree) do
    case :cerl.type(tree) do
      :letrec -> nil
      :primop -> if wait?(tree), do: hd(:cerl.primop_args(tree))
      _other -> tree |> :cerl.subtrees() |> List.flatten() |> Enum.find_value(&timeout_of/1)
    end
  end

  ## What every message that it takes has to hold

  # A variable that is equal to a part of the message wherever a clause takes one.
  defp key(tree) do
    [{_name, function}] = :cerl.letrec_defs(tree)
    # The message itself is not there yet when the loop begins.
    outside = :cerl_trees.free_variables(function)

    with [message] <- messages(:cerl.fun_body(function)),
         [clauses] <- cases_of(:cerl.fun_body(function), :cerl.var_name(message)),
         [_ | _] = taking <- Enum.reject(clauses, &passes_over?/1),
         [first | others] = Enum.map(taking, &equal/1),
         [name | _] <- Enum.filter(first, fn name -> name in outside and Enum.all?(others, &(name in &1)) end) do
      :cerl.c_var(name)
    else
      _other -> nil
    end
  end

  defp messages(body) do
    if :cerl.type(body) == :let and primop?(:cerl.let_arg(body), [@peek]) do
      [_found, message] = :cerl.let_vars(body)
      [message]
    end
  end

  defp cases_of(tree, name) do
    collect = fn node, found ->
      case? = :cerl.type(node) == :case and :cerl.type(:cerl.case_arg(node)) == :var
      if case? and :cerl.var_name(:cerl.case_arg(node)) == name, do: [:cerl.case_clauses(node) | found], else: found
    end

    :cerl_trees.fold(collect, [], tree)
  end

  defp passes_over?(clause) do
    body = :cerl.clause_body(clause)
    :cerl.type(body) == :seq and next?(body)
  end

  # The variables from outside that have to be equal to something for the clause to be taken.
  defp equal(clause) do
    own = Enum.map(:cerl.clause_vars(clause), &:cerl.var_name/1)
    equal = implied(:cerl.clause_guard(clause))
    compared = Enum.filter(equal, fn {one, other} -> one in own != other in own end)
    Enum.map(compared, fn {one, other} -> if one in own, do: other, else: one end)
  end

  # The pairs of variables that are equal if the guard holds.
  defp implied(guard) do
    case :cerl.type(guard) do
      :call -> implied_by_call(guard, :cerl.concrete(:cerl.call_name(guard)), :cerl.call_args(guard))
      :let -> implied_by_let(guard)
      :try -> implied(:cerl.try_arg(guard))
      _other -> []
    end
  end

  defp implied_by_call(_guard, :"=:=", [one, other]) do
    if :cerl.is_c_var(one) and :cerl.is_c_var(other), do: [{:cerl.var_name(one), :cerl.var_name(other)}], else: []
  end

  defp implied_by_call(_guard, :and, [one, other]), do: implied(one) ++ implied(other)
  defp implied_by_call(_guard, _name, _arguments), do: []

  # `let A = <one> in let B = <other> in A and B`, as the compiler writes `one, other`.
  defp implied_by_let(guard) do
    case conjunction(guard, %{}) do
      nil -> []
      parts -> Enum.flat_map(parts, &implied/1)
    end
  end

  defp conjunction(tree, bound) do
    cond do
      :cerl.type(tree) == :let and match?([_], :cerl.let_vars(tree)) ->
        [variable] = :cerl.let_vars(tree)
        conjunction(:cerl.let_body(tree), Map.put(bound, :cerl.var_name(variable), :cerl.let_arg(tree)))

      :cerl.type(tree) == :call and :cerl.concrete(:cerl.call_name(tree)) == :and ->
        tree |> :cerl.call_args() |> Enum.flat_map(&conjunct(&1, bound))

      true ->
        nil
    end
  end

  defp conjunct(tree, bound) do
    if :cerl.type(tree) == :var and is_map_key(bound, :cerl.var_name(tree)),
      do: [bound[:cerl.var_name(tree)]],
      else: []
  end

  ## Inside the loop

  @doc "Two values, as the primop has: whether there is a message, and the message."
  @spec peek(%Transform{}) :: :cerl.cerl()
  def peek(env) do
    {_name, [rest, _seen, _scan]} = loop(env)
    [message, others, none] = variables(env, 3)
    found = :cerl.c_clause([:cerl.c_cons(message, others)], :cerl.c_values([:cerl.c_atom(true), message]))
    none = :cerl.c_clause([none], :cerl.c_values([:cerl.c_atom(false), :cerl.c_atom(false)]))
    :cerl.c_case(rest, [found, none])
  end

  @doc "Takes the message."
  @spec remove(%Transform{}) :: :cerl.cerl()
  def remove(env) do
    {_name, place} = loop(env)
    mailbox(:remove, place, env)
  end

  @doc "Passes over the message, in a sequence."
  @spec next(:cerl.c_seq(), %Transform{}) :: :cerl.cerl()
  def next(tree, env) do
    {name, [rest, seen, scan]} = loop(env)
    [message, later, passed] = variables(env, 3)
    part = fn function -> :cerl.c_call(:cerl.c_atom(:erlang), :cerl.c_atom(function), [rest]) end
    body = Transform.expr(:cerl.seq_body(tree), %{env | loop: {name, [later, passed, scan]}})
    body = :cerl.c_let([passed], :cerl.c_cons(message, seen), body)
    :cerl.c_let([message], part.(:hd), :cerl.c_let([later], part.(:tl), body))
  end

  @doc "Waits, in a `let` of whether the time is up."
  @spec wait(:cerl.c_let(), %Transform{}) :: :cerl.cerl()
  def wait(tree, env) do
    {name, [_rest, _seen, _scan] = place} = loop(env)
    [waited, rest, seen, scan] = variables(env, 4)
    body = Transform.expr(:cerl.let_body(tree), %{env | loop: {name, [rest, seen, scan]}})
    [timeout] = :cerl.primop_args(:cerl.let_arg(tree))
    [up] = :cerl.let_vars(tree)
    call = mailbox(:wait, [Transform.expr(timeout, env) | place], env)
    :cerl.ann_c_let(:cerl.get_ann(tree), [waited], call, elements(waited, [up, rest, seen, scan], body))
  end

  @doc "Gives a call of the loop, whose function is instrumented already, its arguments; other calls stay as they are."
  @spec again(:cerl.c_apply(), %Transform{}) :: :cerl.c_apply()
  def again(tree, %{loop: {name, place}}) do
    operator = :cerl.apply_op(tree)

    if :cerl.type(operator) == :var and :cerl.var_name(operator) == name,
      do: :cerl.update_c_apply(tree, operator, place),
      else: tree
  end

  def again(tree, _env), do: tree

  defp loop(%{loop: nil} = env), do: Transform.unsupported(env, "a receive in its Core Erlang has an unknown form")
  defp loop(%{loop: loop}), do: loop

  # The primops have no line, but a process that waits is asked where.
  defp mailbox(function, arguments, env) do
    :cerl.ann_c_call(env.receive, :cerl.c_atom(Mailbox), :cerl.c_atom(function), arguments)
  end

  defp elements(tuple, variables, body) do
    parts = Enum.with_index(variables, 1)

    Enum.reduce(Enum.reverse(parts), body, fn {variable, index}, body ->
      part = :cerl.c_call(:cerl.c_atom(:erlang), :cerl.c_atom(:element), [:cerl.abstract(index), tuple])
      :cerl.c_let([variable], part, body)
    end)
  end

  defp variables(env, count), do: for(_ <- 1..count, do: Transform.fresh_var(env))
end
