defmodule Lockstep.Runtime.Escape do
  @moduledoc false
  # Calls with an effect that is not simulated.

  alias Lockstep.EscapeError
  alias Lockstep.Runtime.{Context, Stack}

  @doc """
  Refuses the call inside a simulation; does it outside of one.

  The run fails even if the code under test rescues the exception.
  """
  @spec refuse(module(), atom(), [term()], {String.t() | charlist(), pos_integer()} | nil) :: term()
  def refuse(module, function, args, location) do
    case Context.get() do
      nil -> apply(module, function, args)
      _ -> refuse_inside(module, function, length(args), location)
    end
  end

  defp refuse_inside(module, function, arity, location) do
    fail(%EscapeError{module: module, function: function, arity: arity, location: location || caller()})
  end

  @doc """
  Raises `exception`, and fails the run with it even if the code under test rescues it.

  The first one is the one reported: what follows may only be its consequence.
  """
  @spec fail(Exception.t()) :: no_return()
  def fail(exception) do
    ctx = Context.get()
    if ctx, do: :ets.insert_new(ctx.store, {:escape, exception})
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
