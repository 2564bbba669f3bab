defmodule Lockstep.Instrument.Loader do
  @moduledoc false
  # Makes the guest of one module, or finds it in the cache.

  alias Lockstep.Instrument.{Cache, Calls, Source, Transform, UnsupportedModuleError}

  @type made :: %{bytecode: binary(), next: [module()]}

  @doc """
  The object code of the guest of `module`.

  `next` are modules that it is likely to call next, and that may have to be made as well: none if this one was in the
  cache, because then so are they.
  """
  @spec make(module()) :: {:ok, made()} | {:error, :nofile | Exception.t()}
  def make(module) do
    # Reflection (`function_exported/3`, `module_info`) is answered by the original, which must be there for that.
    with {:module, _} <- :code.ensure_loaded(module), {:ok, object} <- Source.object_code(module) do
      {:ok, cached(module, object)}
    else
      :error -> {:error, Lockstep.MissingDebugInfoError.exception(module: module)}
      {:error, _} -> {:error, :nofile}
    end
  rescue
    exception -> {:error, exception}
  end

  defp cached(module, object) do
    key = Cache.key(object)

    case Cache.read(key) do
      {:ok, bytecode} ->
        %{bytecode: bytecode, next: []}

      :error ->
        bytecode = compiled(module, object)
        Cache.write(key, bytecode)
        %{bytecode: bytecode, next: called(object)}
    end
  end

  defp compiled(module, object) do
    Source.core!(module, object) |> Transform.module(:guest) |> compile()
  rescue
    error in CompileError ->
      reraise UnsupportedModuleError, [module: module, reason: Exception.message(error)], __STACKTRACE__
  end

  defp called(object) do
    {:ok, {_module, [imports: imports]}} = :beam_lib.chunks(object, [:imports])
    guests = for {module, function, arity} <- imports, Calls.classify(module, function, arity) == :guest, do: module
    Enum.uniq(guests)
  end

  @doc "Loads the object code of a guest under its name."
  @spec load(module(), binary()) :: :ok
  def load(guest, bytecode) do
    {:module, ^guest} = :code.load_binary(guest, ~c"#{guest}", bytecode)
    :ok
  end

  @doc "Compiles Core Erlang to object code."
  @spec compile(:cerl.c_module()) :: binary()
  def compile(core) do
    options = [:from_core, :binary, :no_core_prepare, :no_auto_import, :return_errors]

    case :compile.noenv_forms(core, options) do
      {:ok, _module, bytecode} -> bytecode
      {:error, errors, _warnings} -> raise CompileError, description: "its copy does not compile: #{inspect(errors)}"
    end
  end
end
