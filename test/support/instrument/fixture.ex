defmodule Lockstep.InstrumentFixture do
  @moduledoc false
  # Erlang source to modules, so that a test can show the very code it is about.

  alias Lockstep.Instrument
  alias Lockstep.Instrument.{Loader, Source, Transform}

  @doc "Compiles one Erlang module; with debug information unless other options are given."
  @spec object_code!(String.t(), [atom()]) :: {module(), binary()}
  def object_code!(source, options \\ [:debug_info]) do
    {:ok, module, bytecode} = (source <> "\n") |> forms([], 1) |> :compile.forms([:binary | options])
    {module, bytecode}
  end

  defp forms(source, forms, line) do
    case :erl_scan.tokens([], to_charlist(source), line) do
      {:done, {:ok, tokens, next}, rest} ->
        {:ok, form} = :erl_parse.parse_form(tokens)
        forms(rest, [form | forms], next)

      _ ->
        Enum.reverse(forms)
    end
  end

  @doc "Compiles one Erlang module, loads it and its guest, and returns both names."
  @spec load!(String.t()) :: {module(), module()}
  def load!(source) do
    {module, bytecode} = object_code!(source)
    {:module, ^module} = :code.load_binary(module, ~c"fixture.erl", bytecode)
    guest = Instrument.guest_name(module)
    core = Transform.module(Source.core!(module, bytecode), :guest)
    {:module, ^guest} = :code.load_binary(guest, ~c"fixture.erl", Loader.compile(core))
    {module, guest}
  end

  @doc "The remote calls in the instrumented Core of a module, as `{module, function, arguments}` of Core trees."
  @spec calls(String.t(), Transform.mode()) :: [{module(), atom(), [:cerl.cerl()]}]
  def calls(source, mode) do
    {module, bytecode} = object_code!(source)
    core = Transform.module(Source.core!(module, bytecode), mode)

    :cerl_trees.fold(&[call(&1) | &2], [], core) |> Enum.reject(&is_nil/1) |> Enum.reverse()
  end

  defp call(tree) do
    if :cerl.type(tree) == :call do
      [module, name] = Enum.map([:cerl.call_module(tree), :cerl.call_name(tree)], &:cerl.concrete/1)
      {module, name, :cerl.call_args(tree)}
    end
  end

  @doc "Runs `fun` with an empty cache of guests of its own."
  @spec with_cache((Path.t() -> result)) :: result when result: term()
  def with_cache(fun) do
    directory = Path.join(System.tmp_dir!(), "lockstep_cache_#{System.unique_integer([:positive])}")
    before = Application.fetch_env(:lockstep, :cache_dir)
    Application.put_env(:lockstep, :cache_dir, directory)

    try do
      fun.(directory)
    after
      restore(before)
      File.rm_rf!(directory)
    end
  end

  defp restore({:ok, directory}), do: Application.put_env(:lockstep, :cache_dir, directory)
  defp restore(:error), do: Application.delete_env(:lockstep, :cache_dir)
end
