defmodule Lockstep.Runtime.Escape do
  @moduledoc false
  # Calls with an effect that is not simulated.

  alias Lockstep.EscapeError
  alias Lockstep.Runtime.{Context, Stack}

  @doc """
  Refuses the call inside a simulation; does it outside of one.

  The refusal is recorded too, so that the run fails even if the code under test rescues the exception.
  """
  @spec refuse(module(), atom(), [term()], {String.t() | charlist(), pos_integer()} | nil) :: term()
  def refuse(module, function, args, location) do
    case Context.get() do
      nil -> apply(module, function, args)
      ctx -> refuse_inside(ctx, module, function, length(args), location)
    end
  end

  # The first escape is the one reported: what follows may only be its consequence.
  defp refuse_inside(ctx, module, function, arity, location) do
    exception = %EscapeError{module: module, function: function, arity: arity, location: location || caller()}
    :ets.insert_new(ctx.store, {:escape, exception})
    raise exception
  end

  # A call whose target was not known at compile time comes without its place; the stack has the nearest one.
  defp caller do
    {:current_stacktrace, [_info | stack]} = Process.info(self(), :current_stacktrace)

    Enum.find_value(stack, fn {_, _, _, place} = frame ->
      unless Stack.own?(frame) or place[:line] in [nil, 0], do: {place[:file], place[:line]}
    end)
  end
end
