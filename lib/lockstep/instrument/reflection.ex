defmodule Lockstep.Instrument.Reflection do
  @moduledoc false
  # Questions about code whose honest answer would show the instrumentation.

  alias Lockstep.Instrument
  alias Lockstep.Runtime.Context

  @doc """
  As `:erlang.function_exported/3`.

  Inside a simulation the module is loaded first: whether some earlier test happened to load it must not decide what
  the program does.
  """
  @spec function_exported(module(), atom(), arity()) :: boolean()
  def function_exported(module, function, arity) do
    if is_atom(module) and Context.inside?(), do: :code.ensure_loaded(Instrument.original(module))
    :erlang.function_exported(module, function, arity)
  end

  @doc "As `Kernel.function_exported?/3`, see `function_exported/3`."
  @spec function_exported?(module(), atom(), arity()) :: boolean()
  def function_exported?(module, function, arity), do: function_exported(module, function, arity)

  @doc "As `:erlang.fun_info/1`, with the original module name."
  @spec fun_info(function()) :: keyword()
  def fun_info(fun), do: Enum.map(:erlang.fun_info(fun), &original/1)

  @doc "As `:erlang.fun_info/2`, with the original module name."
  @spec fun_info(function(), atom()) :: {atom(), term()}
  def fun_info(fun, item), do: original(:erlang.fun_info(fun, item))

  defp original({:module, module}), do: {:module, Instrument.original(module)}
  # Some releases of OTP have the pid of the process that made the fun; it is a real one.
  defp original({:pid, pid}) when is_pid(pid), do: {:pid, Lockstep.Runtime.Process.self()}
  defp original(item), do: item
end
