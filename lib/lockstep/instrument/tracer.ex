defmodule Lockstep.Instrument.Tracer do
  @moduledoc false
  # A compile tracer that remembers the bytecode of modules as they are defined. See `Code` on tracers.

  alias Lockstep.Instrument
  alias Lockstep.Instrument.Server

  @table __MODULE__

  @doc "Creates the table of bytecodes, owned by the caller."
  @spec create_table() :: :ok
  def create_table do
    :ets.new(@table, [:named_table, :public, read_concurrency: true])
    :ok
  end

  @doc "The bytecode `module` was last defined with, if it was defined while the tracer was installed."
  @spec bytecode(module()) :: {:ok, binary()} | :error
  def bytecode(module) do
    case :ets.lookup(@table, module) do
      [{_, bytecode}] -> {:ok, bytecode}
      [] -> :error
    end
  end

  # `mix test` switches debug information off for test files, after test_helper.exs has run. A file announces itself
  # before any of its modules is compiled.
  @doc false
  def trace(:start, _env) do
    unless Code.get_compiler_option(:debug_info), do: Code.put_compiler_option(:debug_info, true)
    :ok
  end

  def trace({:on_module, bytecode, _ignored}, env) do
    # Compilation may go on before the application is started or while it stops.
    if Process.whereis(Server), do: remember(env.module, bytecode)
    :ok
  end

  def trace(_event, _env), do: :ok

  @doc "The modules whose bytecode is known."
  @spec modules() :: [module()]
  def modules, do: @table |> :ets.match({:"$1", :_}) |> List.flatten()

  @doc "Keeps the bytecode of a module that has just been compiled, here or elsewhere."
  @spec remember(module(), binary()) :: :ok
  def remember(module, bytecode) do
    redefined? = :erlang.module_loaded(Instrument.guest_name(module))
    :ets.insert(@table, {module, bytecode})
    if redefined?, do: Instrument.forget(module), else: Instrument.undecide(module)
  end
end
