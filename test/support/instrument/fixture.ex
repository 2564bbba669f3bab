defmodule Lockstep.InstrumentFixture do
  @moduledoc false
  # Erlang source to modules, so that a test can show the very code it is about.

  alias Lockstep.Instrument
  alias Lockstep.Instrument.{Loader, Source, Transform}
  alias Lockstep.Runtime.Stack

  @doc "Compiles one Erlang module; with debug information unless other options are given."
  @spec object_code!(String.t(), [term()]) :: {module(), binary()}
  def object_code!(source, options \\ [:debug_info]) do
    {:ok, module, bytecode} = source |> forms() |> :compile.forms([:binary | options])
    {module, bytecode}
  end

  # The preprocessor reads files only.
  defp forms(source) do
    path = Path.join(System.tmp_dir!(), "lockstep_fixture_#{System.pid()}_#{System.unique_integer([:positive])}.erl")
    File.write!(path, source <> "\n")

    try do
      {:ok, forms} = :epp.parse_file(path, source_name: ~c"fixture.erl")
      forms
    after
      File.rm!(path)
    end
  end

  @doc "Compiles one Erlang module, loads it and its guest, and returns both names."
  @spec load!(String.t(), [term()]) :: {module(), module()}
  def load!(source, options \\ []) do
    {module, bytecode} = object_code!(source, [:debug_info | options])
    load_original!(module, bytecode)
    {module, guest!(module, bytecode)}
  end

  # Not by the code server, which refuses features that the VM was not started with; but only it can run `-on_load`.
  defp load_original!(module, bytecode) do
    :code.purge(module)

    with {:error, :on_load} <- :erlang.load_module(module, bytecode) do
      {:module, ^module} = :code.load_binary(module, ~c"fixture.erl", bytecode)
    end
  end

  @doc "Makes and loads the guest of a module that is loaded."
  @spec guest!(module(), binary()) :: module()
  def guest!(module, bytecode) do
    guest = Instrument.guest_name(module)
    core = Transform.module(Source.core!(module, bytecode), :guest)
    {:module, ^guest} = :code.load_binary(guest, ~c"fixture.erl", Loader.compile(core))
    guest
  end

  @doc """
  What a call comes to: its value, or the class, the reason and the stack trace of the exception.

  Of the stack trace what is above the caller, as the code under test would see it.
  """
  @spec outcome(module(), atom(), [term()]) :: {:returned, term()} | {atom(), term(), Exception.stacktrace()}
  def outcome(module, function, arguments) do
    {:returned, apply(module, function, arguments)}
  catch
    kind, reason -> {kind, reason, __STACKTRACE__ |> Stack.clean() |> Enum.take_while(&(elem(&1, 0) != __MODULE__))}
  after
    flush()
  end

  defp flush do
    receive do
      _ -> flush()
    after
      0 -> :ok
    end
  end

  @doc "The outcome of a call, if it is the same in a module and in its guest."
  @spec same!(module(), module(), atom(), [term()]) :: {:returned, term()} | {atom(), term(), Exception.stacktrace()}
  def same!(module, guest, function, arguments) do
    [expected, outcome] = for target <- [module, guest], do: outcome(target, function, arguments)

    unless expected == outcome,
      do: raise("#{inspect(expected)} of the original, but #{inspect(outcome)} of the guest")

    outcome
  end

  @doc "The remote calls of known functions in the instrumented Core of a module, as `{module, function, arguments}` of Core trees."
  @spec calls(String.t(), Transform.mode()) :: [{module(), atom(), [:cerl.cerl()]}]
  def calls(source, mode) do
    {module, bytecode} = object_code!(source)
    core = Transform.module(Source.core!(module, bytecode), mode)

    :cerl_trees.fold(&[call(&1) | &2], [], core) |> Enum.reject(&is_nil/1) |> Enum.reverse()
  end

  defp call(tree) do
    with :call <- :cerl.type(tree),
         called = [:cerl.call_module(tree), :cerl.call_name(tree)],
         true <- Enum.all?(called, &:cerl.is_literal/1) do
      [module, name] = Enum.map(called, &:cerl.concrete/1)
      {module, name, :cerl.call_args(tree)}
    else
      _ -> nil
    end
  end

  @doc "Runs `fun` with an empty cache of guests of its own."
  @spec with_cache((Path.t() -> result)) :: result when result: term()
  def with_cache(fun) do
    directory = Path.join(System.tmp_dir!(), "lockstep_cache_#{System.unique_integer([:positive])}")
    before = Application.fetch_env(:lockstep, :cache_dir)
    settle()
    Application.put_env(:lockstep, :cache_dir, directory)

    try do
      fun.(directory)
    after
      restore(before)
      File.rm_rf!(directory)
    end
  end

  # What is made beforehand for other tests must not land in this one's folder.
  defp settle do
    unless match?(%{jobs: jobs, ahead: []} when jobs == %{}, :sys.get_state(Lockstep.Instrument.Server)) do
      Process.sleep(10)
      settle()
    end
  end

  defp restore({:ok, directory}), do: Application.put_env(:lockstep, :cache_dir, directory)
  defp restore(:error), do: Application.delete_env(:lockstep, :cache_dir)
end
