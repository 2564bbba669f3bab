defmodule Lockstep.Runtime.Inspection do
  @moduledoc false
  # What `inspect/2` shows inside of runs: maps and sets in the order of their terms, functions of the original modules.
  #
  # From OTP 26 on, the entries of a small map stand in the order in which the VM has come to know their keys, if those
  # are atoms. That depends on what was loaded before. See `Lockstep.Runtime.Maps`.

  alias Inspect.Algebra
  alias Lockstep.Instrument
  alias Lockstep.Instrument.{Calls, Reflection}

  alias Lockstep.Runtime.Context

  # The first releases of Elixir 1.14 do not know the option.
  @sorts String.starts_with?(
           inspect(Map.new(1..40, &{&1, 1}), custom_options: [sort_maps: true], limit: :infinity),
           "%{1 => 1, 2 => 1, 3 => 1"
         )

  @doc "Makes `inspect/2` of this module the one that `Kernel.inspect/2` uses."
  @spec install() :: :ok
  def install, do: Inspect.Opts.default_inspect_fun(&__MODULE__.inspect/2)

  @doc "As the protocol `Inspect` has it, in a fixed order inside of runs."
  @spec inspect(term(), Inspect.Opts.t()) :: Inspect.Algebra.t()
  def inspect(term, opts) do
    if Context.inside?(), do: in_order(term, opts), else: Inspect.inspect(term, opts)
  end

  defp in_order(%MapSet{} = set, opts) do
    Algebra.concat(["MapSet.new(", Inspect.List.inspect(Enum.sort(set), %{opts | charlists: :as_lists}), ")"])
  end

  # A program's own implementation is a part of the program.
  defp in_order(%_{} = struct, opts) do
    implementation = Inspect.impl_for(struct)

    if Calls.default(implementation) == :guest,
      do: Instrument.guest(implementation).inspect(struct, sorting(opts)),
      else: Inspect.inspect(struct, sorting(opts))
  end

  defp in_order(fun, opts) when is_function(fun) do
    case Inspect.inspect(fun, opts) do
      text when is_binary(text) -> original(text, Function.info(fun))
      document -> document
    end
  end

  unless @sorts do
    defp in_order(map, opts) when is_map(map) do
      pairs = Lockstep.Runtime.Maps.to_list(map)
      pair = if Inspect.List.keyword?(pairs), do: &Inspect.List.keyword/2, else: &pair/2
      [left, right] = for bracket <- ["%{", "}"], do: Algebra.color(bracket, :map, opts)
      Algebra.container_doc(left, pairs, right, opts, pair, separator: ",", break: :strict)
    end
  end

  defp in_order(term, opts), do: Inspect.inspect(term, sorting(opts))

  unless @sorts do
    defp pair({key, value}, opts) do
      arrow = Algebra.color(" => ", :map, opts)
      Algebra.concat([Algebra.to_doc(key, opts), arrow, Algebra.to_doc(value, opts)])
    end
  end

  defp sorting(opts), do: %{opts | custom_options: Keyword.put(opts.custom_options, :sort_maps, true)}

  defp original(text, info) do
    {module, name, _} = Reflection.original({info[:module], info[:name], info[:arity]})
    if info[:type] == :external, do: external(module, name, info[:arity]), else: local(text, info[:module], module)
  end

  defp external(module, name, arity),
    do: "&#{Kernel.inspect(module)}.#{Macro.inspect_atom(:remote_call, name)}/#{arity}"

  defp local(text, module, original), do: String.replace(text, Kernel.inspect(module), Kernel.inspect(original))
end
