defmodule Lockstep.Instrument.Source do
  @moduledoc false
  # From a module's object code back to Core Erlang.

  alias Lockstep.Instrument.{InPlace, Tracer, UnsupportedModuleError}
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

  @doc """
  The Core Erlang of a module's object code, optimised with the options that the module was compiled with.

  Optimised as the original was, its functions, funs and comprehensions are those that the original has at run time,
  and so are the names in stack traces. What is not optimised here is not optimised later either.
  """
  @spec core!(module(), binary()) :: :cerl.c_module()
  def core!(module, bytecode) do
    {forms, options} = forms!(module, bytecode)

    case :compile.noenv_forms(forms, [:to_core, :no_lint, :from_abstr, :return_errors | options() ++ options]) do
      {:ok, ^module, core} -> core
      {:error, errors, _warnings} -> raise UnsupportedModuleError, module: module, reason: failure(errors)
    end
  end

  defp failure(errors) do
    [{_place, pass, error} | _] = for {_file, errors} <- errors, error <- errors, do: with_place(error)
    "its debug information does not compile (#{pass.format_error(error)})"
  end

  defp with_place({pass, error}), do: {:none, pass, error}
  defp with_place(error), do: error

  # The forms come from code that has been compiled before: nothing to report, no parse transforms left to run.
  defp options, do: [:binary, :no_auto_import, :no_spawn_compiler_process, {:error_location, :line}]

  defp forms!(module, bytecode) do
    with {:ok, {^module, [debug_info: {:debug_info_v1, backend, data}]}} <- :beam_lib.chunks(bytecode, [:debug_info]),
         true <- data != :none,
         {:ok, forms} <- backend.debug_info(:erlang_v1, module, data, []) do
      {directives, forms} = Enum.split_with(forms, &compile_directive?/1)
      {forms, Enum.filter(command_line(data) ++ Enum.flat_map(directives, &in_directive/1), &keep?/1)}
    else
      _ -> raise MissingDebugInfoError, module: module
    end
  end

  defp compile_directive?({:attribute, _, :compile, _}), do: true
  defp compile_directive?(_), do: false

  defp in_directive({:attribute, _, :compile, options}), do: List.wrap(options)

  # Erlang's debug information has the forms and the options of the command line.
  defp command_line({_forms, options}) when is_list(options), do: options
  defp command_line(_), do: []

  # The others steer passes that have run already, or say where files are and what to print.
  defp keep?(option) when option in [:export_all, :tuple_calls, :inline, :inline_list_funcs], do: true
  defp keep?({:core_transform, transform}), do: transform != InPlace

  defp keep?({option, _}), do: option in [:inline, :inline_size, :inline_effort, :inline_unroll]
  defp keep?(_), do: false
end
