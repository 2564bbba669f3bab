defmodule Lockstep.Runtime.Escape do
  @moduledoc false
  # Calls with an effect that is not simulated.
  #
  # Most of them are made all the same unless the run says `escapes: :raise`, and counted by where they are made. A few
  # are never made: those that would end the VM, and those that ask the real cluster about a simulated one.

  alias Lockstep.EscapeError
  alias Lockstep.Runtime.{Context, Notebook, Place}
  alias Lockstep.Runtime.Escape.Answer

  @type location :: {String.t() | charlist(), pos_integer()} | nil

  @doc "Makes the call of a function that is not simulated: counted or refused inside a run, as ever outside of one."
  @spec call(module(), atom(), [term()], location()) :: term()
  def call(module, function, args, location) do
    case Context.get() do
      nil -> apply(module, function, args)
      ctx -> inside(ctx, module, function, args, location)
    end
  end

  defp inside(ctx, module, function, args, location) do
    with :unknown <- Answer.find(ctx, module, function, args) do
      note(ctx, module, function, length(args), location)
      apply(module, function, args)
    else
      {:known, answer} -> answer
    end
  end

  @doc """
  Refuses the call inside a simulation; does it outside of one.

  The run fails even if the code under test rescues the exception.
  """
  @spec refuse(module(), atom(), [term()], location()) :: term()
  def refuse(module, function, args, location) do
    if Context.inside?() do
      fail(error(module, function, length(args), location, true))
    else
      apply(module, function, args)
    end
  end

  @doc "Counts an escape, or fails the run where it wants none."
  @spec note(Context.t(), module(), atom(), arity(), location()) :: :ok
  def note(ctx, module, function, arity, location) do
    error = error(module, function, arity, location, false)
    if :ets.lookup_element(ctx.store, :escapes, 2) == :raise, do: fail(error)
    Notebook.count(ctx.store, :escaped, {module, function, arity, error.location})
  end

  # A call whose target was not known at compile time comes without its place.
  defp error(module, function, arity, location, never?) do
    %EscapeError{
      module: module,
      function: function,
      arity: arity,
      location: location || Place.of_caller(),
      never?: never?
    }
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
end
