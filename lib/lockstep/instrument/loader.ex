defmodule Lockstep.Instrument.Loader do
  @moduledoc false
  # Makes and loads the guest of one module. Runs in `Lockstep.Instrument.Server`, one module at a time.

  alias Lockstep.Instrument.{Cache, Source, Transform}

  @doc "Loads the guest of `module` under the name `guest`."
  @spec load(module(), module()) :: :ok | {:error, :nofile | Exception.t()}
  def load(module, guest) do
    # Reflection (`function_exported/3`, `module_info`) is answered by the original, which must be there for that.
    with {:module, _} <- :code.ensure_loaded(module), {:ok, object} <- Source.object_code(module) do
      load_bytecode(guest, bytecode(module, object))
    else
      :error -> {:error, Lockstep.MissingDebugInfoError.exception(module: module)}
      {:error, _} -> {:error, :nofile}
    end
  rescue
    exception -> {:error, exception}
  end

  defp load_bytecode(guest, bytecode) do
    {:module, ^guest} = :code.load_binary(guest, ~c"#{guest}", bytecode)
    :ok
  end

  defp bytecode(module, object) do
    key = Cache.key(object)

    case Cache.read(key) do
      {:ok, bytecode} ->
        bytecode

      :error ->
        bytecode = compile(Transform.module(Source.core!(module, object), :guest))
        Cache.write(key, bytecode)
        bytecode
    end
  end

  @doc "Compiles Core Erlang to object code."
  @spec compile(:cerl.c_module()) :: binary()
  def compile(core) do
    options = [:from_core, :binary, :no_core_prepare, :no_auto_import, :return_errors]

    case :compile.noenv_forms(core, options) do
      {:ok, _module, bytecode} -> bytecode
      {:error, errors, _warnings} -> raise "instrumented code does not compile: #{inspect(errors)}"
    end
  end
end
