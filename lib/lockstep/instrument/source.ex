defmodule Lockstep.Instrument.Source do
  @moduledoc false
  # From a module's object code back to Core Erlang.

  alias Lockstep.Instrument.Tracer
  alias Lockstep.MissingDebugInfoError

  @doc """
  The object code of `module`: what the tracer saw, if that is what is loaded, else the file on the code path.
  """
  @spec object_code(module()) :: {:ok, binary()} | :error
  def object_code(module) do
    with {:ok, bytecode} <- Tracer.bytecode(module), true <- loaded?(module, bytecode) do
      {:ok, bytecode}
    else
      _ -> object_file(module)
    end
  end

  defp loaded?(module, bytecode) do
    case :beam_lib.md5(bytecode) do
      {:ok, {^module, md5}} -> not Code.ensure_loaded?(module) or module.module_info(:md5) == md5
      _ -> false
    end
  end

  defp object_file(module) do
    case :code.get_object_code(module) do
      {^module, bytecode, _file} -> {:ok, bytecode}
      :error -> :error
    end
  end

  @doc "The Core Erlang of a module's object code, not yet optimised."
  @spec core!(module(), binary()) :: :cerl.c_module()
  def core!(module, bytecode) do
    {:ok, ^module, core} =
      :compile.noenv_forms(forms!(module, bytecode), [:to_core0, :no_lint, :from_abstr | options()])

    core
  end

  # The forms come from code that has been compiled before: nothing to report, no transforms left to run.
  defp options, do: [:binary, :no_auto_import, :no_spawn_compiler_process, {:error_location, :line}]

  defp forms!(module, bytecode) do
    with {:ok, {^module, [debug_info: {:debug_info_v1, backend, data}]}} <- :beam_lib.chunks(bytecode, [:debug_info]),
         true <- data != :none,
         {:ok, forms} <- backend.debug_info(:erlang_v1, module, data, []) do
      Enum.reject(forms, &compile_directive?/1)
    else
      _ -> raise MissingDebugInfoError, module: module
    end
  end

  # They steer passes that have run already (inlining, parse transforms, warnings).
  defp compile_directive?({:attribute, _, :compile, _}), do: true
  defp compile_directive?(_), do: false
end
