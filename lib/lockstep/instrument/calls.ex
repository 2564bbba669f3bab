defmodule Lockstep.Instrument.Calls do
  @moduledoc false
  # What becomes of a call: the table that both the transform and the dynamic calls of the runtime consult.
  #
  #   * `{:runtime, module, function}`: the call goes to a function of the runtime, same arguments
  #   * `{:placed, module, function}`: the same, with the place of the call as one more argument
  #   * `{:compat, module}`: the call goes to a stand-in if the project wants one (`Lockstep.Compat`), else to a guest
  #   * `:native`: the call stays as it is (pure code, or output that nothing reads back)
  #   * `:guest`: the call goes to the instrumented copy of the module
  #   * `:escape`: the call has an effect that is not simulated; it is made, but never silently (`escapes:`)
  #   * `:refuse`: the call is never made inside a run: it would end the VM, or mistake the real cluster for a simulated one
  #
  # The lists are in `calls/*.ex`, as data. They are folded into one literal map here, so a lookup costs two map reads.

  alias __MODULE__.{BIFs, ElixirLib, OTP, Redirects}

  @type class :: {:runtime | :placed, module(), atom()} | {:compat, module()} | :native | :guest | :escape | :refuse

  @max_arity 6

  # Calls that only ask a module about itself. The copy would answer the same, and there is nothing to control.
  @reflection [
    module_info: 0,
    module_info: 1,
    __info__: 1,
    __struct__: 0,
    __struct__: 1,
    behaviour_info: 1,
    __impl__: 1
  ]

  expand = fn functions ->
    for function <- functions,
        {name, arities} = if(is_tuple(function), do: function, else: {function, 0..@max_arity}),
        arity <- arities,
        do: {name, arity}
  end

  mixed =
    for {module, default, exceptions} <- [
          {:erlang, :escape, native: BIFs.native(), refuse: BIFs.refused()} | OTP.mixed() ++ ElixirLib.mixed()
        ],
        into: %{} do
      {module,
       {default, for({class, functions} <- exceptions, key <- expand.(functions), into: %{}, do: {key, class})}}
    end

  whole =
    for {class, modules} <- [
          native: OTP.native() ++ ElixirLib.native(),
          escape: OTP.escapes() ++ ElixirLib.escapes(),
          refuse: OTP.refused()
        ],
        module <- modules,
        into: for({module, target} <- Redirects.compat(), into: %{}, do: {module, {{:compat, target}, %{}}}),
        do: {module, {class, %{}}}

  @table Enum.reduce(Redirects.entries() ++ Redirects.placed(), Map.merge(whole, mixed), fn {{module, function,
                                                                                              arity}, class},
                                                                                            table ->
           {default, exceptions} = Map.get(table, module, {if(module == Lockstep, do: :native, else: :guest), %{}})
           Map.put(table, module, {default, Map.put(exceptions, {function, arity}, class)})
         end)

  @doc "What becomes of a call of `module.function` with `arity` arguments."
  @spec classify(module(), atom(), arity()) :: class()
  def classify(module, function, arity), do: listed(module, function, arity) || unlisted(module)

  @doc "As `classify/3`; `nil` for the functions of a module that is in no list, which need a guest if the module does."
  @spec listed(module(), atom(), arity()) :: class() | nil
  def listed(module, function, arity) do
    case @table do
      %{^module => {default, exceptions}} -> known(default, exceptions, {function, arity})
      %{} when {function, arity} in @reflection -> :native
      %{} -> nil
    end
  end

  defp unlisted(module), do: if(own?(module), do: :native, else: :guest)

  @doc "What becomes of the functions of `module` that have no entry of their own."
  @spec default(module()) :: :native | :guest | :escape | :refuse | {:compat, module()}
  def default(module) do
    case @table do
      %{^module => {default, _}} -> default
      %{} -> unlisted(module)
    end
  end

  @doc """
  Whether calls to `module` can ever reach an instrumented copy of it.

  A module that is native by default may have single functions that do (`DateTime.utc_now/0`).
  """
  @spec copied?(module()) :: boolean()
  def copied?(module) do
    case @table do
      %{^module => {{:compat, _target}, _exceptions}} -> true
      %{^module => {default, exceptions}} -> default == :guest or :guest in Map.values(exceptions)
      %{} -> not own?(module)
    end
  end

  defp known(_default, exceptions, key) when key in @reflection, do: Map.get(exceptions, key, :native)
  defp known(default, exceptions, key), do: Map.get(exceptions, key, default)

  # Lockstep's own modules are what guest code calls to talk to the simulation. Its tests are not part of it: what
  # they define (`Lockstep.ClusterTest.Counter`) is code under test like any other.
  defp own?(Lockstep), do: true

  defp own?(module) do
    case Atom.to_string(module) do
      "Elixir.Lockstep." <> name -> :binary.match(name, "Test") == :nomatch
      _ -> false
    end
  end
end
