defmodule Lockstep.Instrument do
  @moduledoc false
  # Names and loading of instrumented modules.
  #
  # The instrumented copy of a module, its *guest*, is loaded under another name, so that the VM's own processes and
  # the test framework keep running the original. A module compiled with `Lockstep.Instrument.InPlace` is its own guest.

  alias Lockstep.Instrument.{Calls, Server, Tracer}
  alias Lockstep.Instrument.Transform.Frames

  @prefix "lockstep:"
  @in_place_attribute :lockstep_in_place

  @doc "The name of the copy of `module`, whether or not it needs one."
  @spec guest_name(module()) :: module()
  def guest_name(module) do
    case Atom.to_string(module) do
      @prefix <> _ -> module
      name -> :"#{@prefix}#{name}"
    end
  end

  @doc """
  The module to call for `module` inside a simulation: itself if it is native, instrumented in place or a guest
  already, otherwise its guest.
  """
  @spec guest(module()) :: module()
  def guest(module) do
    case :persistent_term.get({__MODULE__, module}, nil) do
      nil -> decide(module)
      guest -> guest
    end
  end

  # Small values of persistent terms are replaced without a pass over all processes. A module that does not exist
  # yet may still turn out to be instrumented in place, so it is not remembered.
  defp decide(module) do
    guest = if Calls.copied?(module) and not in_place?(module), do: guest_name(module), else: module
    if :erlang.module_loaded(module), do: :persistent_term.put({__MODULE__, module}, guest)
    guest
  end

  @doc """
  Whether the closures that `module` makes are under control: it is instrumented, or has nothing to control.

  Asked for every call of a closure.
  """
  @spec controlled?(module()) :: boolean()
  def controlled?(module) do
    case :persistent_term.get({:lockstep_controlled, module}, nil) do
      nil -> decide_controlled(module)
      controlled? -> controlled?
    end
  end

  defp decide_controlled(module) do
    controlled? = guest(module) == module and Calls.default(module) not in [:escape, :refuse]
    if :erlang.module_loaded(module), do: :persistent_term.put({:lockstep_controlled, module}, controlled?)
    controlled?
  end

  @doc "Undoes `guest_name/1`; other names are returned as they are."
  @spec original(module()) :: module()
  def original(module) do
    case Atom.to_string(module) do
      @prefix <> name -> String.to_atom(name)
      _ -> module
    end
  end

  @doc "Whether `module` is the name of a guest."
  @spec guest?(module()) :: boolean()
  def guest?(module), do: match?(@prefix <> _, Atom.to_string(module))

  @doc "A stack trace entry as the original code would have it."
  @spec original_frame(tuple()) :: tuple()
  def original_frame({module, function, arity, location}) when is_atom(module) do
    {function, arity} = Frames.original(function, arity)
    {original(module), function, arity, location}
  end

  def original_frame(frame), do: frame

  @doc "Whether `module` was instrumented while it was compiled."
  @spec in_place?(module()) :: boolean()
  def in_place?(module) do
    Code.ensure_loaded?(module) and Keyword.has_key?(module.module_info(:attributes), @in_place_attribute)
  end

  @doc "The module attribute that marks modules instrumented in place."
  @spec in_place_attribute() :: atom()
  def in_place_attribute, do: @in_place_attribute

  @doc """
  Makes sure that the guest of `module` is loaded, and returns what `guest/1` does.

  Raises `Lockstep.MissingDebugInfoError` or `Lockstep.Instrument.UnsupportedModuleError` when there can be none, and
  `ArgumentError` when the module does not exist.
  """
  @spec load_guest!(module()) :: module()
  def load_guest!(module) do
    case load_guest(module) do
      {:ok, guest} -> guest
      {:error, :nofile} -> raise ArgumentError, "module #{inspect(module)} is not available; check its name"
      {:error, exception} -> raise exception
    end
  end

  @doc "As `load_guest!/1`, without raising; a module that does not exist is `:nofile`."
  @spec load_guest(module()) :: {:ok, module()} | {:error, :nofile | Exception.t()}
  def load_guest(module) do
    guest = guest(module)

    cond do
      guest == module -> {:ok, guest}
      :erlang.module_loaded(guest) -> {:ok, guest}
      true -> Server.load(module, guest)
    end
  end

  @doc "Drops the guest of a module that has been compiled anew; the next call makes another."
  @spec forget(module()) :: :ok
  def forget(module), do: Server.forget(module, guest_name(module))

  @doc "Forgets what `guest/1` and `controlled?/1` decided for `module`."
  @spec undecide(module()) :: :ok
  def undecide(module) do
    :persistent_term.erase({__MODULE__, module})
    :persistent_term.erase({:lockstep_controlled, module})
    :ok
  end

  @doc """
  From now on remembers the bytecode of every module compiled in this VM.

  Modules defined in test files have no object file to make a guest from.
  """
  @spec install_tracer() :: :ok
  def install_tracer do
    tracers = Code.get_compiler_option(:tracers)
    unless Tracer in tracers, do: Code.put_compiler_option(:tracers, [Tracer | tracers])
    Code.put_compiler_option(:debug_info, true)
    :ok
  end
end
