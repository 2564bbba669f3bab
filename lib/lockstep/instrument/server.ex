defmodule Lockstep.Instrument.Server do
  @moduledoc false
  # Makes guests one after the other, so that no two processes load the same one. Also owns the tracer's table.
  #
  # The callers are mostly guest processes in the middle of an undefined call. For them this is an ordinary process of
  # the VM: they wait in a native receive, which the simulation does not see.
  use GenServer

  alias Lockstep.Instrument
  alias Lockstep.Instrument.{Handler, Loader, Tracer}

  @doc false
  def start_link(_options), do: GenServer.start_link(__MODULE__, [], name: __MODULE__)

  @doc "Loads the guest of `module`, unless another caller has been faster."
  @spec load(module(), module()) :: {:ok, module()} | {:error, :nofile | Exception.t()}
  def load(module, guest), do: GenServer.call(__MODULE__, {:load, module, guest}, :infinity)

  @doc "Unloads the guest of `module`."
  @spec forget(module(), module()) :: :ok
  def forget(module, guest), do: GenServer.call(__MODULE__, {:forget, module, guest}, :infinity)

  @impl true
  def init([]) do
    # An error handler that is not loaded itself, or calls what is not, makes the VM call it for ever.
    Enum.each([Handler, Instrument, :error_handler], &Code.ensure_loaded!/1)
    Tracer.create_table()
    {:ok, nil}
  end

  @impl true
  def handle_call({:load, module, guest}, _from, state) do
    if :erlang.module_loaded(guest) do
      {:reply, {:ok, guest}, state}
    else
      result = Loader.load(module, guest)
      {:reply, if(result == :ok, do: {:ok, guest}, else: result), state}
    end
  end

  def handle_call({:forget, module, guest}, _from, state) do
    Instrument.undecide(module)
    :code.purge(guest)
    :code.delete(guest)
    {:reply, :ok, state}
  end
end
