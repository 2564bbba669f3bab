defmodule Conformance.Helpers do
  @moduledoc false
  # What conformance programs share; it is part of them, and so instrumented inside a run.

  @doc "What `fun` returns, or how it fails; without the arguments of the call that exited, which hold pids."
  def caught(fun) do
    fun.()
  catch
    :exit, {reason, {module, function, args}} when is_list(args) -> {:exit, plain(reason), module, function}
    kind, reason -> {kind, plain(reason)}
  end

  @doc "What `fun` returns, or which function refuses its arguments and what it says of them."
  def refused(fun) do
    fun.()
  rescue
    error ->
      [{module, function, args, _} | _] = __STACKTRACE__
      {error.__struct__, Exception.message(error), {module, function, arity(args)}}
  end

  @doc "The arity in an entry of a stack trace, which may have the arguments instead."
  def arity(args) when is_list(args), do: length(args)
  def arity(arity), do: arity

  @doc "The value itself, of which the compiler must not know the type: it would warn of what is wrong on purpose."
  def untyped(value), do: hd(:lists.reverse([value]))

  @doc "The reason without its stack trace: that has the file and line of the caller in it."
  def plain({reason, [{module, _, _, _} | _]}) when is_atom(module), do: {plain(reason), :stack}
  def plain(%{__exception__: true} = exception), do: exception.__struct__

  def plain({reason, {module, function, args}}) when is_list(args),
    do: {plain(reason), {module, function, length(args)}}

  def plain(tuple) when is_tuple(tuple), do: tuple |> Tuple.to_list() |> Enum.map(&plain/1) |> List.to_tuple()
  def plain(other), do: other

  @doc "The reason with which `pid` ends."
  def ending(pid) do
    ref = Process.monitor(pid)
    receive(do: ({:DOWN, ^ref, _, _, reason} -> plain(reason)))
  end

  @doc "Everything in the mailbox, after waiting `time` for it."
  def flush(time \\ 0) do
    receive do
      message -> [message | flush(time)]
    after
      time -> []
    end
  end

  @doc "Polls until `fun` holds."
  def wait_until(fun) do
    unless fun.() do
      Process.sleep(1)
      wait_until(fun)
    end
  end
end
