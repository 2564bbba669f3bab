defmodule Lockstep.Instrument.Handler do
  @moduledoc false
  # The error handler (`process_flag(error_handler, ...)`) of guest processes: the first call of a guest that is not
  # loaded makes it. `Lockstep.Instrument.Server` sees to it that this module is loaded before a process uses it.

  alias Lockstep.Instrument
  alias Lockstep.Runtime.{Call, Escape, Flags}

  @doc "Called by the VM for a call of a function that is not there."
  @spec undefined_function(module(), atom(), [term()]) :: term()
  def undefined_function(module, function, arguments) do
    if Instrument.guest?(module) do
      guest_function(Instrument.original(module), function, arguments)
    else
      native_function(module, function, arguments)
    end
  end

  @doc "Called by the VM for a call of a fun whose module is not loaded."
  @spec undefined_lambda(module(), function(), [term()]) :: term()
  def undefined_lambda(module, fun, arguments) do
    if Instrument.guest?(module) do
      load(Instrument.original(module))
      apply(fun, arguments)
    else
      :error_handler.undefined_lambda(module, fun, arguments)
    end
  end

  defp native_function(module, function, arguments) do
    handler = handler()

    if handler == :error_handler or loaded?(module, function, length(arguments)),
      do: :error_handler.undefined_function(module, function, arguments),
      else: Call.apply(handler, :undefined_function, [module, function, arguments])
  end

  # The one that the program has set. This module must not call another that may not be loaded.
  defp handler do
    if :erlang.get(:"$lockstep_flags") == :undefined, do: :error_handler, else: Flags.error_handler()
  end

  defp loaded?(module, function, arity) do
    match?({:module, _}, :code.ensure_loaded(module)) and :erlang.function_exported(module, function, arity)
  end

  # What the guest lacks after loading, the original lacks as well.
  defp guest_function(module, function, arguments) do
    with {:ok, target} <- load(module), true <- :erlang.function_exported(target, function, length(arguments)) do
      apply(target, function, arguments)
    else
      _ -> missing(module, function, arguments)
    end
  end

  defp load(module) do
    case Instrument.load_guest(module) do
      {:ok, target} -> {:ok, target}
      {:error, :nofile} -> :error
      {:error, exception} -> Escape.fail(exception)
    end
  end

  defp missing(module, function, arguments) do
    case handler() do
      :error_handler -> undefined(module, function, arguments)
      handler -> Call.apply(handler, :undefined_function, [module, function, arguments])
    end
  end

  defp undefined(module, function, arguments) do
    if :erlang.function_exported(module, :"$handle_undefined_function", 2) do
      apply(Instrument.guest(module), :"$handle_undefined_function", [function, arguments])
    else
      undef(module, function, arguments)
    end
  end

  # As the VM does it: the missing function itself is the top of the stack trace, with its arguments.
  defp undef(module, function, arguments) do
    {:current_stacktrace, [_info, _undef | stack]} = Process.info(self(), :current_stacktrace)
    :erlang.raise(:error, :undef, [{module, function, arguments, []} | drop_own(stack)])
  end

  defp drop_own(stack), do: Enum.drop_while(stack, &match?({__MODULE__, _, _, _}, &1))
end
