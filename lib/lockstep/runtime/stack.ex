defmodule Lockstep.Runtime.Stack do
  @moduledoc false
  # Stack traces as the original code would have given them.

  alias Lockstep.Instrument
  alias Lockstep.Instrument.Transform.Frames

  @doc "Restores the names in a stack trace and leaves out the frames of the runtime."
  @spec clean(Exception.stacktrace()) :: Exception.stacktrace()
  def clean(stack) when is_list(stack), do: stack |> Enum.reject(&own?/1) |> restore()
  def clean(other), do: other

  defp restore([frame | stack]) when is_tuple(frame) do
    restored = Instrument.original_frame(frame)
    [restored | restore(if(jumped?(frame), do: drop_callers(stack, restored), else: stack))]
  end

  defp restore(stack), do: stack

  # A local function that the original has not was called by the function it is a part of, where the original jumps.
  defp drop_callers([frame | rest] = stack, function) do
    restored = Instrument.original_frame(frame)

    cond do
      put_elem(restored, 3, []) != put_elem(function, 3, []) -> stack
      jumped?(frame) -> drop_callers(rest, function)
      true -> rest
    end
  end

  defp drop_callers([], _function), do: []

  defp jumped?({_, function, _, _}) when is_atom(function), do: Frames.jumped?(function)
  defp jumped?(_), do: false

  @doc "The stack of a process in the midst of a call of the runtime: what that has called in turn is left out as well."
  @spec current(Exception.stacktrace()) :: Exception.stacktrace()
  def current(stack) do
    {runtime, program} = Enum.split_while(stack, &(not program?(&1)))
    clean((runtime |> Enum.reverse() |> Enum.take_while(&(not own?(&1))) |> Enum.reverse()) ++ program)
  end

  defp program?({module, _, _, _}), do: Instrument.guest?(module) or Instrument.in_place?(module)

  @doc """
  Raises what the runtime's version of `module.function` has raised, as that function itself would.

  What a fun of the program raises while the runtime calls it is left as it is.
  """
  @spec fail(:error | :exit | :throw, term(), Exception.stacktrace(), mfa :: {module(), atom(), [term()]}) ::
          no_return()
  def fail(class, reason, stack, {module, function, arguments} = original) do
    case drop_runtime(stack, module) do
      ^stack ->
        :erlang.raise(class, reason, stack)

      callers ->
        :erlang.raise(class, reason, [{module, function, arguments, information(original, stack)} | callers])
    end
  end

  # The runtime may in turn have called the VM's own function, with what the program must not see.
  defp drop_runtime([{called, _, arguments, _} | [next | _] = rest] = stack, module) when is_list(arguments) do
    if called in [:erlang, module] and own?(next), do: drop_own(rest), else: drop_own(stack)
  end

  defp drop_runtime(stack, _module), do: drop_own(stack)

  defp drop_own(stack), do: Enum.drop_while(stack, &own?/1)

  # The VM's own function has said what is wrong, when it was called, as it is outside of runs. For other modules than
  # `:erlang` OTP would look at tables of the host to say so.
  defp information({:erlang, function, _}, [{:erlang, function, _, [_ | _] = location} | _]), do: location
  defp information({:erlang, _, _}, _stack), do: [error_info: %{module: :erl_erts_errors}]
  defp information({module, function, arguments}, [{module, function, arguments, location} | _]), do: location
  defp information(_original, _stack), do: []

  @doc "Cleans the stack trace in an exit reason, if there is one: a process that raised exits with `{reason, stack}`."
  @spec clean_reason(term()) :: term()
  def clean_reason({reason, [frame | _] = stack}) when is_tuple(frame) and length(stack) > 0 do
    if Enum.all?(stack, &frame?/1), do: {reason, clean(stack)}, else: {reason, stack}
  end

  def clean_reason(reason), do: reason

  defp frame?({module, function, arity_or_args, location}) when is_atom(module) and is_atom(function) do
    (is_integer(arity_or_args) or is_list(arity_or_args)) and is_list(location)
  end

  defp frame?(_), do: false

  @doc "Whether a stack trace entry belongs to the runtime, which the code under test must not see."
  @spec own?(term()) :: boolean()
  def own?({module, _, _, _}) when is_atom(module) do
    case Atom.to_string(module) do
      # Our own tests have such names too, and are programs all the same.
      "Elixir.Lockstep.Runtime." <> _ -> not Instrument.in_place?(module)
      "Elixir.Lockstep.Instrument.Handler" -> true
      _ -> false
    end
  end

  def own?(_), do: false
end
