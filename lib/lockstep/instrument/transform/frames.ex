defmodule Lockstep.Instrument.Transform.Frames do
  @moduledoc false
  # Which function of the original a piece of code stands in, so that a stack trace can say so.
  #
  # A `receive`, and what follows a guard that was moved, is compiled to a local function of its own, which the
  # original has not. A comprehension has one in the original too, but the compiler numbers local functions, and here
  # there are more of them. All of these get names that tell what the original would show:
  #
  #     ^<n>                        the function they are in
  #     ^fun-0-/1^<n>               "-loop/2-fun-0-"/1, if the function is loop/2
  #     ^^-other/2-fun-0-/1^<n>     "-other/2-fun-0-"/1: a fun of a function that was inlined
  #     ^=lc$^0/1-0-/2^<n>          "-loop/2-lc$^0/1-0-"/2: this one is the original's own
  #
  # to which the compiler adds "-loop/2-" in front, and "/<arity>-<number>-" behind.

  @enforce_keys [:top, :function, :counters]
  defstruct @enforce_keys

  @type t :: %__MODULE__{
          top: {atom(), arity()},
          function: {atom(), arity()},
          counters: :counters.counters_ref()
        }

  @fresh 1
  @local_functions 2
  @anonymous 3

  @doc "The frame of a function that the module defines."
  @spec top({atom(), arity()}, :cerl.c_fun()) :: t()
  def top(name, function) do
    counters = :counters.new(3, [])
    :counters.put(counters, @anonymous, :cerl_trees.fold(&(&2 + local_functions(&1)), 0, function))
    %__MODULE__{top: name, function: name, counters: counters}
  end

  defp local_functions(tree) do
    if :cerl.type(tree) == :letrec and :letrec_goto not in :cerl.get_ann(tree),
      do: length(:cerl.letrec_defs(tree)),
      else: 0
  end

  @doc """
  The frame of a fun, and the fun.

  Its arity is the one it has once it is compiled: what it closes over are arguments as well. A fun that has lost its
  name by inlining gets the one that the compiler gives it in the original.
  """
  @spec of_fun(t(), :cerl.c_fun()) :: {t(), :cerl.c_fun()}
  def of_fun(frame, fun) do
    arity = :cerl.fun_arity(fun) + closed_over(fun)

    case List.keyfind(:cerl.get_ann(fun), :id, 0) do
      {:id, {_, _, name}} ->
        {%{frame | function: {name, arity}}, fun}

      _ ->
        {name, arity} = numbered(frame, @anonymous, "anonymous", arity)
        {%{frame | function: {name, arity}}, :cerl.add_ann([{:id, {0, 0, name}}], fun)}
    end
  end

  @doc "The frame of a local function that the original has as well."
  @spec of_local(t(), :cerl.c_var(), :cerl.c_fun()) :: t()
  def of_local(frame, name, fun) do
    label = "#{:cerl.fname_id(name)}/#{:cerl.fname_arity(name)}"
    %{frame | function: numbered(frame, @local_functions, label, :cerl.fun_arity(fun) + closed_over(fun))}
  end

  defp closed_over(fun), do: fun |> :cerl_trees.free_variables() |> Enum.count(&(not is_tuple(&1)))

  # As the compiler numbers them: in the order in which they stand in the function, those without any name last.
  defp numbered(%{top: {name, arity}} = frame, counter, label, local_arity) do
    {:"-#{name}/#{arity}-#{label}-#{next(frame, counter)}-", local_arity}
  end

  defp next(frame, counter) do
    number = :counters.get(frame.counters, counter)
    :counters.add(frame.counters, counter, 1)
    number
  end

  # A clause that fails in a local function makes the compiler add a function for the stack trace,
  # `-inlined-<name>/<arity>-`. The `^` tells it from those of the original.
  @doc "The annotations for a failing match: the function they name is marked if it is the current one."
  @spec of_failure(t(), :cerl.c_primop()) :: [term()]
  def of_failure(%{top: top, function: function} = frame, tree) do
    annotations = :cerl.get_ann(tree)

    case List.keyfind(annotations, :function, 0) do
      {:function, {name, arity} = named} when named in [top, function] -> put_function(annotations, {name, arity})
      nil -> if own_arguments?(frame, tree), do: put_function(annotations, top), else: annotations
      _ -> annotations
    end
  end

  defp put_function(annotations, {name, arity}),
    do: List.keystore(annotations, :function, 0, {:function, {:"^#{name}", arity}})

  # Of a fun that was inlined nothing is left but its arguments. They are the function's own, as far as can be told.
  defp own_arguments?(%{top: {_, arity} = top, function: top}, tree) do
    with [reason] <- :cerl.primop_args(tree),
         true <- :cerl.is_data(reason) and match?([_ | _], :cerl.data_es(reason)),
         [kind | arguments] = :cerl.data_es(reason),
         true <- :cerl.is_literal(kind) and :cerl.concrete(kind) == :function_clause do
      length(arguments) == arity
    else
      _ -> false
    end
  end

  defp own_arguments?(_frame, _tree), do: false

  @doc "A name for a local function whose code stands in `frame`: one that the original has as well, or only jumps to."
  @spec local_name(t(), :own | :jumped) :: atom()
  def local_name(%{function: function, top: function} = frame, :jumped), do: :"^#{next(frame, @fresh)}"

  def local_name(%{top: {top, top_arity}, function: {name, arity}} = frame, kind) do
    prefix = "-#{top}/#{top_arity}-"
    name = Atom.to_string(name)
    shown = if String.starts_with?(name, prefix), do: String.replace_prefix(name, prefix, ""), else: "^" <> name
    mark = if kind == :own, do: "=", else: ""
    :"^#{mark}#{shown}/#{arity}^#{next(frame, @fresh)}"
  end

  @local ~r"^-(?<top>.*)/(?<top_arity>\d+)-\^(?<own>=?)((?<name>.*)/(?<arity>\d+)\^)?\d+/\d+-\d+-$"su

  @inlined ~r"^-inlined-\^(?<name>.*)/\d+-$"su

  @doc "The function of the original that a compiled function stands for."
  @spec original(atom(), arity() | [term()]) :: {atom(), arity() | [term()]}
  def original(function, arity) do
    case Atom.to_string(function) do
      "-inlined-^" <> _ = name -> {String.to_atom(Regex.named_captures(@inlined, name)["name"]), arity}
      "-" <> _ = name -> name |> local() |> restore({function, arity})
      _ -> {function, arity}
    end
  end

  @doc "Whether a compiled function is one that the original only jumps to."
  @spec jumped?(atom()) :: boolean()
  def jumped?(function) do
    case Atom.to_string(function) do
      "-" <> _ = name -> match?(%{"own" => ""}, local(name))
      _ -> false
    end
  end

  # Most names are those of the original.
  defp local(name), do: if(String.contains?(name, "^"), do: Regex.named_captures(@local, name))

  defp restore(nil, function), do: function
  defp restore(%{"name" => ""} = shown, _), do: {String.to_atom(shown["top"]), String.to_integer(shown["top_arity"])}
  defp restore(%{"name" => "^" <> name} = shown, _), do: {String.to_atom(name), String.to_integer(shown["arity"])}

  defp restore(shown, _) do
    name = "-#{shown["top"]}/#{shown["top_arity"]}-#{shown["name"]}"
    {String.to_atom(name), String.to_integer(shown["arity"])}
  end
end
