defmodule Lockstep.Instrument.Transform do
  @moduledoc false
  # Core Erlang in, Core Erlang out: effects become calls of the runtime.
  #
  # Works on the output of the compiler's Core pass, optimised or not. Annotations are kept, so line numbers and
  # file names in stack traces are those of the source. The traversal is total: a node or primop it does not know
  # raises, for an effect that slips through here is an effect nobody controls.

  alias Lockstep.Instrument
  alias Lockstep.Instrument.Calls
  alias Lockstep.Instrument.Transform.{Failures, Frames, Guards, Natives, Receives, Values}
  alias Lockstep.Instrument.UnsupportedModuleError
  alias Lockstep.Runtime.{Call, Escape, Stack}

  @type mode :: :guest | :in_place

  # `fresh` counts the variables made up in this module, `frame` says which function the current node is in, `names`
  # has the new names of local functions, `receive` the annotations of the receive around the node, and `loop` what
  # `Receives` has to know of it.
  defstruct [:mode, :module, :fresh, :frame, :loop, names: %{}, receive: []]

  @plain [:cons, :tuple, :values, :try, :bitstr, :map_pair]

  # Primops that neither see nor touch anything outside the process.
  @pure_primops [
    :raise,
    :raw_raise,
    :dialyzer_unknown,
    :nif_start,
    :executable_line,
    :debug_line
  ]

  @doc """
  Instruments the Core of one module.

  `:guest` renames the module and sends calls of other instrumented modules straight to their copies. `:in_place`
  keeps the name; where its calls go is decided when they happen, inside a simulation or outside.
  """
  @spec module(:cerl.c_module(), mode()) :: :cerl.c_module()
  def module(core, mode) do
    name = :cerl.concrete(:cerl.module_name(core))
    env = %__MODULE__{mode: mode, module: name, fresh: :counters.new(1, [])}

    :cerl.update_c_module(
      core,
      :cerl.c_atom(module_name(mode, name)),
      :cerl.module_exports(core),
      attributes(mode, :cerl.module_attrs(core)),
      core |> :cerl.module_defs() |> Natives.replace(name, mode) |> Enum.map(&definition(&1, env))
    )
  end

  defp definition({name, function}, env) do
    {name, subtrees(function, %{env | frame: Frames.top(:cerl.var_name(name), function)})}
  end

  defp module_name(:guest, name), do: Instrument.guest_name(name)
  defp module_name(:in_place, name), do: name

  # What `-on_load` does has been done, when the original was loaded.
  defp attributes(:guest, attributes), do: Enum.reject(attributes, fn {key, _} -> :cerl.concrete(key) == :on_load end)

  defp attributes(:in_place, attributes) do
    [{:cerl.abstract(Instrument.in_place_attribute()), :cerl.abstract([true])} | attributes]
  end

  ## Expressions

  @doc "Instruments one expression; `Guards` uses it for guards that it moves into a body."
  @spec expr(:cerl.cerl(), %__MODULE__{}) :: :cerl.cerl()
  def expr(tree, env) do
    case :cerl.type(tree) do
      :literal ->
        literal(tree, env)

      :call ->
        call(tree, env)

      :apply ->
        apply_fun(tree, env)

      :primop ->
        primop(tree, :cerl.concrete(:cerl.primop_name(tree)), env)

      :case ->
        if Receives.wait?(:cerl.case_arg(tree)), do: wait_case(tree, env), else: Guards.case_expr(tree, env)

      :let ->
        if Receives.wait?(:cerl.let_arg(tree)), do: Receives.wait(tree, env), else: Values.rebind(subtrees(tree, env))

      :seq ->
        if Receives.next?(tree), do: Receives.next(tree, env), else: subtrees(tree, env)

      :fun ->
        fun(tree, env)

      :letrec ->
        letrec(tree, env)

      :catch ->
        catch_expr(tree, env)

      :map ->
        map(tree, env)

      :binary ->
        binary(tree, env)

      type when type in @plain ->
        subtrees(tree, env)

      :var ->
        Map.get(env.names, :cerl.var_name(tree), tree)

      :opaque ->
        tree

      type ->
        unsupported(env, "its Core Erlang has a node of the unknown type #{inspect(type)}")
    end
  end

  @doc "Says that the module cannot be instrumented."
  @spec unsupported(%__MODULE__{}, String.t()) :: no_return()
  def unsupported(env, reason), do: raise(UnsupportedModuleError, module: env.module, reason: reason)

  defp subtrees(tree, env) do
    :cerl.update_tree(tree, for(group <- :cerl.subtrees(tree), do: exprs(group, env)))
  end

  defp wait_case(tree, env) do
    up = fresh_var(env)
    body = :cerl.update_c_case(tree, up, :cerl.case_clauses(tree))
    Receives.wait(:cerl.c_let([up], :cerl.case_arg(tree), body), env)
  end

  # `:cerl.subtrees/1` leaves out the map that is updated. That map must stay simple: the compiler evaluates what it
  # finds there too late.
  defp map(tree, env) do
    argument = expr(:cerl.map_arg(tree), env)
    pairs = exprs(:cerl.map_es(tree), env)

    if :cerl.type(argument) in [:var, :literal] do
      :cerl.update_c_map(tree, argument, pairs)
    else
      variable = fresh_var(env)
      :cerl.c_let([variable], argument, :cerl.update_c_map(tree, variable, pairs))
    end
  end

  defp fun(tree, env) do
    {frame, tree} = Frames.of_fun(env.frame, tree)
    subtrees(tree, %{env | frame: frame})
  end

  # `single_use` says that the binary in front, which is appended to, was made to be written to. It is an ordinary one.
  defp binary(tree, env), do: subtrees(:cerl.set_ann(tree, :cerl.get_ann(tree) -- [:single_use]), env)

  defp exprs(trees, env), do: Enum.map(trees, &expr(&1, env))

  @doc "A variable that occurs nowhere else in the module."
  @spec fresh_var(%__MODULE__{}) :: :cerl.c_var()
  def fresh_var(env), do: :cerl.c_var(fresh_name(env, "lockstep"))

  defp fresh_name(env, prefix) do
    :counters.add(env.fresh, 1, 1)
    :"#{prefix}#{:counters.get(env.fresh, 1)}"
  end

  ## Literals

  # The optimiser folds `fun M:F/A` into literals, alone or inside larger ones.
  defp literal(tree, env) do
    value = :cerl.concrete(tree)

    cond do
      env.module == :gen and value == :nonode@nohost -> :cerl.ann_abstract(:cerl.get_ann(tree), :nonode@lockstep)
      holds_fun?(value) -> rebuild_literal(value, env)
      true -> tree
    end
  end

  defp holds_fun?(value) when is_function(value), do: true
  defp holds_fun?([head | tail]), do: holds_fun?(head) or holds_fun?(tail)
  defp holds_fun?(value) when is_tuple(value), do: value |> Tuple.to_list() |> holds_fun?()
  defp holds_fun?(value) when is_map(value), do: value |> :maps.to_list() |> holds_fun?()
  defp holds_fun?(_), do: false

  # The funs are bound first: what stands inside a constructor has to be simple at this stage of compilation.
  defp rebuild_literal(value, env) do
    {tree, bindings} = rebuild(value, [], env)
    Enum.reduce(bindings, tree, fn {variable, capture}, body -> :cerl.c_let([variable], capture, body) end)
  end

  defp rebuild(value, bindings, env) when is_function(value) do
    variable = fresh_var(env)
    {variable, [{variable, rebuilt_capture(Function.info(value), env)} | bindings]}
  end

  defp rebuild([head | tail], bindings, env) do
    {head, bindings} = rebuild(head, bindings, env)
    {tail, bindings} = rebuild(tail, bindings, env)
    {:cerl.c_cons(head, tail), bindings}
  end

  defp rebuild(value, bindings, env) when is_tuple(value) do
    {items, bindings} = value |> Tuple.to_list() |> Enum.map_reduce(bindings, &rebuild(&1, &2, env))
    {:cerl.c_tuple(items), bindings}
  end

  defp rebuild(value, bindings, env) when is_map(value) do
    {pairs, bindings} = value |> :maps.to_list() |> Enum.map_reduce(bindings, &rebuild_pair(&1, &2, env))
    {:cerl.c_map(pairs), bindings}
  end

  defp rebuild(value, bindings, _env), do: {:cerl.abstract(value), bindings}

  defp rebuild_pair({key, value}, bindings, env) do
    {key, bindings} = rebuild(key, bindings, env)
    {value, bindings} = rebuild(value, bindings, env)
    {:cerl.c_map_pair(key, value), bindings}
  end

  defp rebuilt_capture(info, env) do
    arguments = Enum.map([info[:module], info[:name], info[:arity]], &:cerl.abstract/1)
    call(:cerl.c_call(:cerl.c_atom(:erlang), :cerl.c_atom(:make_fun), arguments), env)
  end

  ## Calls

  # A fun held in a variable may come from code that is not instrumented; a local function cannot.
  defp apply_fun(tree, env) do
    tree = tree |> subtrees(env) |> Receives.again(env)
    operator = :cerl.apply_op(tree)

    if :cerl.type(operator) == :var and not :cerl.is_c_fname(operator) do
      variable = fresh_var(env)
      checked = :cerl.ann_c_call(:cerl.get_ann(tree), :cerl.abstract(Call), :cerl.c_atom(:callable), [operator])
      :cerl.c_let([variable], checked, :cerl.update_c_apply(tree, variable, :cerl.apply_args(tree)))
    else
      located(tree, env)
    end
  end

  # In the original this is a jump, which needs no line. A call does: it may be all that is left of the receive when what
  # is called in the end of a clause fails.
  defp located(tree, env) do
    if line(:cerl.get_ann(tree)), do: tree, else: :cerl.add_ann(env.receive, tree)
  end

  defp call(tree, env) do
    module = :cerl.call_module(tree)
    function = :cerl.call_name(tree)

    if atom?(module) and atom?(function) do
      static_call(tree, {:cerl.concrete(module), :cerl.concrete(function), :cerl.call_arity(tree)}, env)
    else
      dynamic_call(tree, env)
    end
  end

  defp atom?(tree), do: :cerl.is_literal(tree) and is_atom(:cerl.concrete(tree))

  # A capture of a known function needs no decision at run time.
  defp static_call(tree, {:erlang, :make_fun, 3} = mfa, env) do
    with true <- Enum.all?(:cerl.call_args(tree), &:cerl.is_literal/1),
         [module, function, arity] = Enum.map(:cerl.call_args(tree), &:cerl.concrete/1),
         true <- is_atom(module) and is_atom(function) and is_integer(arity) do
      capture(tree, module, Calls.classify(module, function, arity), env)
    else
      _ -> classified_call(tree, mfa, env)
    end
  end

  # A guest's calls to itself stay inside its copy, and a module instrumented in place stays inside itself.
  defp static_call(tree, {module, _, _} = mfa, %{module: module} = env) do
    case {Calls.classify(module, elem(mfa, 1), elem(mfa, 2)), env.mode} do
      {class, :in_place} when class in [:guest, :native] -> subtrees(tree, env)
      {:guest, :guest} -> retarget(tree, Instrument.guest_name(module), env)
      _ -> classified_call(tree, mfa, env)
    end
  end

  defp static_call(tree, mfa, env), do: classified_call(tree, mfa, env)

  defp capture(tree, _module, :native, _env), do: tree

  defp capture(tree, module, :guest, %{mode: :guest}) do
    [_ | rest] = :cerl.call_args(tree)
    update_call(tree, :erlang, :make_fun, [:cerl.c_atom(Instrument.guest_name(module)) | rest])
  end

  defp capture(tree, _module, _class, env), do: classified_call(tree, {:erlang, :make_fun, 3}, env)

  defp classified_call(tree, {module, function, arity}, env) do
    case Calls.classify(module, function, arity) do
      {:runtime, to, name} -> redirect(tree, {module, function, arity}, {to, name}, env)
      {:placed, to, name} -> placed(tree, {to, name}, env)
      :native -> subtrees(tree, env)
      :guest when env.mode == :guest -> retarget(tree, Instrument.guest_name(module), env)
      :guest -> dynamic_call(tree, env)
      {:compat, _target} -> dynamic_call(tree, env)
      :escape -> escape(:call, tree, env)
      :refuse -> escape(:refuse, tree, env)
    end
  end

  defp redirect(tree, original, {module, name}, env) do
    arguments = exprs(:cerl.call_args(tree), env)

    if Failures.show?(original) do
      Failures.wrap(arguments, &update_call(tree, module, name, &1), original, env)
    else
      update_call(tree, module, name, arguments)
    end
  end

  defp placed(tree, {module, name}, env) do
    place = :cerl.abstract(location(:cerl.get_ann(tree)))
    update_call(tree, module, name, exprs(:cerl.call_args(tree), env) ++ [place])
  end

  defp retarget(tree, module, env) do
    :cerl.update_c_call(tree, :cerl.c_atom(module), :cerl.call_name(tree), exprs(:cerl.call_args(tree), env))
  end

  # Without an atom for the module and the function there is no call to be decided on, and the VM says it best.
  defp dynamic_call(tree, env) do
    call = [:cerl.call_module(tree), :cerl.call_name(tree) | :cerl.call_args(tree)]

    Failures.bind(exprs(call, env), env, fn [module, function | arguments] ->
      redirected = update_call(tree, Call, :apply, [module, function, :cerl.make_list(arguments)])

      case Enum.reject([module, function], &atom?/1) do
        [] -> redirected
        names -> if_atoms(names, redirected, :cerl.update_c_call(tree, module, function, arguments), env)
      end
    end)
  end

  defp if_atoms(names, yes, no, env) do
    variables = Enum.map(names, fn _ -> fresh_var(env) end)
    tests = Enum.map(variables, &:cerl.c_call(:cerl.c_atom(:erlang), :cerl.c_atom(:is_atom), [&1]))
    guard = Enum.reduce(tests, &:cerl.c_call(:cerl.c_atom(:erlang), :cerl.c_atom(:and), [&2, &1]))
    others = Enum.map(names, fn _ -> fresh_var(env) end)
    :cerl.c_case(:cerl.c_values(names), [:cerl.c_clause(variables, guard, yes), :cerl.c_clause(others, no)])
  end

  defp escape(function, tree, env) do
    location = :cerl.abstract(location(:cerl.get_ann(tree)))
    update_call(tree, Escape, function, module_function_arguments(tree, env) ++ [location])
  end

  defp module_function_arguments(tree, env) do
    [
      expr(:cerl.call_module(tree), env),
      expr(:cerl.call_name(tree), env),
      :cerl.make_list(exprs(:cerl.call_args(tree), env))
    ]
  end

  defp location(annotations) do
    file = List.keyfind(annotations, :file, 0)
    line = line(annotations)
    if file && line, do: {elem(file, 1), line}
  end

  defp line(annotations) do
    Enum.find_value(annotations, fn
      line when is_integer(line) and line > 0 -> line
      {line, column} when is_integer(line) and is_integer(column) -> line
      {:location, {line, _}} -> line
      {:location, line} when is_integer(line) -> line
      _ -> nil
    end)
  end

  defp update_call(tree, module, function, arguments) do
    :cerl.update_c_call(tree, :cerl.c_atom(module), :cerl.c_atom(function), arguments)
  end

  ## Receive and exceptions

  defp primop(_tree, :recv_peek_message, env), do: Receives.peek(env)
  defp primop(_tree, :remove_message, env), do: Receives.remove(env)

  defp primop(tree, :build_stacktrace, env) do
    raw = fresh_var(env)
    :cerl.c_let([raw], subtrees(tree, env), :cerl.c_call(:cerl.c_atom(Stack), :cerl.c_atom(:clean), [raw]))
  end

  # What a binary comprehension builds on. The compiler works out how large it will become, and does not come to an end
  # where the comprehension is more than one function, as it is with a guard that was moved. See `binary/2`.
  defp primop(_tree, :bs_init_writable, _env), do: :cerl.abstract(<<>>)

  defp primop(tree, :match_fail, env), do: subtrees(:cerl.set_ann(tree, Frames.of_failure(env.frame, tree)), env)
  defp primop(tree, name, env) when name in @pure_primops, do: subtrees(tree, env)

  defp primop(_tree, name, env) do
    unsupported(env, "its Core Erlang has the unknown primop #{inspect(name)}")
  end

  defp letrec(tree, env) do
    cond do
      :letrec_goto not in :cerl.get_ann(tree) ->
        renamed_letrec(tree, :cerl.get_ann(tree), local_functions(tree, env), :own, env)

      jumps?(tree) ->
        unnamed_letrec(tree, env)

      Receives.loop?(tree) ->
        Receives.letrec(tree, env)

      true ->
        called_letrec(tree, env)
    end
  end

  # The annotation `letrec_goto` promises the compiler that the function is only ever jumped to. With calls in place
  # of the receive primops that promise is broken, and the compiled code would corrupt the stack.
  defp called_letrec(tree, env) do
    functions = for {name, body} <- :cerl.letrec_defs(tree), do: {name, body, env.frame}
    renamed_letrec(tree, :cerl.get_ann(tree) -- [:letrec_goto, :no_inline], functions, :jumped, env)
  end

  # What is only jumped to is no function: it has no name in a stack trace.
  defp unnamed_letrec(tree, env) do
    env = %{env | names: Map.drop(env.names, for({name, _} <- :cerl.letrec_defs(tree), do: :cerl.var_name(name)))}
    definitions = for {name, body} <- :cerl.letrec_defs(tree), do: {name, subtrees(body, env)}
    :cerl.update_c_letrec(tree, definitions, expr(:cerl.letrec_body(tree), env))
  end

  defp local_functions(tree, env) do
    for {name, body} <- :cerl.letrec_defs(tree), do: {name, body, Frames.of_local(env.frame, name, body)}
  end

  defp renamed_letrec(tree, annotations, functions, kind, env) do
    names =
      for {name, _, frame} <- functions,
          do: {:cerl.var_name(name), local_function(frame, kind, :cerl.fname_arity(name))}

    env = %{env | names: Enum.into(names, env.names)}

    definitions =
      for {{_, name}, {_, body, frame}} <- Enum.zip(names, functions),
          do: {name, subtrees(body, %{env | frame: frame})}

    :cerl.ann_c_letrec(annotations, definitions, expr(:cerl.letrec_body(tree), env))
  end

  @doc "The name of a new local function whose code stands in `frame`."
  @spec local_function(Frames.t(), :own | :jumped, arity()) :: :cerl.c_var()
  def local_function(frame, kind, arity), do: :cerl.c_fname(Frames.local_name(frame, kind), arity)

  defp jumps?(tree), do: not (Receives.any?(tree) or Guards.lifts?(tree))

  @doc "The annotations of the first node of an expression that has a line: the file and the line."
  @spec location_of(:cerl.cerl()) :: [term()]
  def location_of(tree) do
    annotations = :cerl.get_ann(tree)

    if line(annotations) do
      Enum.filter(annotations, &(match?({:file, _}, &1) or line([&1]) != nil))
    else
      tree |> :cerl.subtrees() |> List.flatten() |> Enum.find_value([], &non_empty(location_of(&1)))
    end
  end

  defp non_empty([]), do: nil
  defp non_empty(annotations), do: annotations

  # `catch` builds its stack trace where no primop shows, so it is written out as the `try` it stands for.
  defp catch_expr(tree, env) do
    [value, class, reason, raw, stack] = Enum.map(1..5, fn _ -> fresh_var(env) end)
    exit_tuple = fn term -> :cerl.c_tuple([:cerl.c_atom(:EXIT), term]) end
    trace = primop(:cerl.c_primop(:cerl.c_atom(:build_stacktrace), [raw]), :build_stacktrace, env)
    error = :cerl.c_let([stack], trace, exit_tuple.(:cerl.c_tuple([reason, stack])))

    handler =
      :cerl.c_case(class, [
        :cerl.c_clause([:cerl.c_atom(:throw)], reason),
        :cerl.c_clause([:cerl.c_atom(:exit)], exit_tuple.(reason)),
        :cerl.c_clause([fresh_var(env)], error)
      ])

    body = expr(:cerl.catch_body(tree), env)
    :cerl.ann_c_try(:cerl.get_ann(tree), body, [value], value, [class, reason, raw], handler)
  end
end
