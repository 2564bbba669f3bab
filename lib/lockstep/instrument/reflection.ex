defmodule Lockstep.Instrument.Reflection do
  @moduledoc false
  # Questions about code whose honest answer would show the instrumentation.

  alias Lockstep.Instrument
  alias Lockstep.Instrument.Calls.Redirects
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

  @doc "As `:erlang.fun_info/1`, with the original module and function."
  @spec fun_info(function()) :: keyword()
  def fun_info(fun) do
    info = :erlang.fun_info(fun)
    {module, name, _arity} = original({info[:module], info[:name], info[:arity]})
    Enum.map(info, &original_item(&1, module, name))
  end

  @doc "As `:erlang.fun_info/2`, with the original module and function."
  @spec fun_info(function(), atom()) :: {atom(), term()}
  def fun_info(fun, item) when item in [:module, :name, :pid] and is_function(fun) do
    {item, Keyword.fetch!(fun_info(fun), item)}
  rescue
    KeyError -> :erlang.fun_info(fun, item)
  end

  def fun_info(fun, item), do: :erlang.fun_info(fun, item)

  defp original_item({:module, _}, module, _name), do: {:module, module}
  defp original_item({:name, _}, _module, name), do: {:name, name}
  # Some releases of OTP have the pid of the process that made the fun; it is a real one.
  defp original_item({:pid, pid}, _module, _name) when is_pid(pid), do: {:pid, Lockstep.Runtime.Process.self()}
  defp original_item(item, _module, _name), do: item

  @doc "As `:erlang.fun_info_mfa/1`, with the original module and function."
  @spec fun_info_mfa(function()) :: mfa()
  def fun_info_mfa(fun), do: fun |> :erlang.fun_info_mfa() |> original()

  @doc "As `:erlang.fun_to_list/1`, with the original module and function."
  @spec fun_to_list(function()) :: charlist()
  def fun_to_list(fun) when is_function(fun) do
    info = :erlang.fun_info(fun)
    {module, name, arity} = original({info[:module], info[:name], info[:arity]})
    text = :erlang.fun_to_list(fun)

    if info[:type] == :external do
      :erlang.fun_to_list(:erlang.make_fun(module, name, arity))
    else
      [before, rest] = :string.split(text, :erlang.atom_to_list(info[:module]))
      before ++ :erlang.atom_to_list(module) ++ rest
    end
  end

  def fun_to_list(other), do: :erlang.fun_to_list(other)

  @doc "The function that the program has captured where a copy or the runtime's version of it is called."
  @spec original(mfa()) :: mfa()
  def original({module, _name, arity} = function) do
    case Redirects.origin(function) do
      {module, name} -> {module, name, arity}
      nil -> put_elem(function, 0, Instrument.original(module))
    end
  end
end
