defmodule Lockstep.Runtime.Stack do
  @moduledoc false
  # Stack traces as the original code would have given them.

  alias Lockstep.Instrument

  @doc "Restores the names in a stack trace and leaves out the frames of the runtime."
  @spec clean(Exception.stacktrace()) :: Exception.stacktrace()
  def clean(stack) when is_list(stack), do: for(frame <- stack, not own?(frame), do: Instrument.original_frame(frame))
  def clean(other), do: other

  @doc "Cleans the stack trace in an exit reason, if there is one: a process that raised exits with `{reason, stack}`."
  @spec clean_reason(term()) :: term()
  def clean_reason({reason, [frame | _] = stack}) when is_tuple(frame) do
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
