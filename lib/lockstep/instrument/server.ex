defmodule Lockstep.Instrument.Server do
  @moduledoc false
  # Makes guests, each once, whoever asks. Also owns the tracer's table.
  #
  # The callers are mostly guest processes in the middle of an undefined call. For them this is an ordinary process of
  # the VM: they wait in a native receive, which the simulation does not see.
  #
  # To make a guest takes up to a second, and a program needs dozens. When one has been made, those that it calls are
  # made beforehand, by processes of low priority: they take only what the machine has to spare, and leave their work
  # in the cache.
  use GenServer

  alias Lockstep.Instrument
  alias Lockstep.Instrument.{Cache, Handler, Loader, Tracer}

  # `jobs`: what is being made, by the module: who waits for it. `workers`: the modules by their makers.
  defstruct jobs: %{}, workers: %{}, ahead: [], known: MapSet.new()

  @made {__MODULE__, :made}

  @doc false
  def start_link(_options), do: GenServer.start_link(__MODULE__, [], name: __MODULE__)

  @doc "Loads the guest of `module`, unless another caller has been faster."
  @spec load(module(), module()) :: {:ok, module()} | {:error, :nofile | Exception.t()}
  def load(module, guest), do: GenServer.call(__MODULE__, {:load, module, guest}, :infinity)

  @doc "Unloads the guest of `module`."
  @spec forget(module(), module()) :: :ok
  def forget(module, guest), do: GenServer.call(__MODULE__, {:forget, module, guest}, :infinity)

  @doc "How many guests have had to be made in this VM, because the cache did not have them."
  @spec made() :: non_neg_integer()
  def made, do: :counters.get(:persistent_term.get(@made), 1)

  @impl true
  def init([]) do
    # An error handler that is not loaded itself, or calls what is not, makes the VM call it for ever.
    Enum.each([Handler, Instrument, :error_handler], &Code.ensure_loaded!/1)
    Tracer.create_table()
    :persistent_term.put(@made, :counters.new(1, []))
    {:ok, %__MODULE__{}, {:continue, :prune}}
  end

  @impl true
  def handle_continue(:prune, state) do
    :erlang.spawn_opt(&Cache.prune/0, priority: :low)
    {:noreply, state}
  end

  @impl true
  def handle_call({:load, module, guest}, from, state) do
    if :erlang.module_loaded(guest) do
      {:reply, {:ok, guest}, state}
    else
      {:noreply, state |> work(module, :normal) |> wait(module, from)}
    end
  end

  def handle_call({:forget, module, guest}, _from, state) do
    Instrument.undecide(module)
    :code.purge(guest)
    :code.delete(guest)
    {:reply, :ok, state}
  end

  @impl true
  def handle_info({:DOWN, _monitor, :process, pid, reason}, state) do
    {module, workers} = Map.pop!(state.workers, pid)
    {waiting, jobs} = Map.pop!(state.jobs, module)
    state = %{state | workers: workers, jobs: jobs}
    {:noreply, state |> finish(module, waiting, result(reason)) |> work_ahead()}
  end

  defp result({:made, result}), do: result
  defp result(reason), do: {:error, %RuntimeError{message: "instrumenting failed: #{inspect(reason)}"}}

  defp finish(state, module, waiting, {:ok, made}) do
    if made.next != [], do: :counters.add(:persistent_term.get(@made), 1, 1)
    guest = Instrument.guest_name(module)
    if waiting != [], do: Loader.load(guest, made.bytecode)
    Enum.each(waiting, &GenServer.reply(&1, {:ok, guest}))
    known = Enum.reject(made.next, &MapSet.member?(state.known, &1))
    # Of what is not waited for nobody knows that it will ever be called.
    if waiting == [],
      do: state,
      else: %{state | ahead: state.ahead ++ known, known: MapSet.union(state.known, MapSet.new(known))}
  end

  defp finish(state, _module, waiting, error) do
    Enum.each(waiting, &GenServer.reply(&1, error))
    state
  end

  defp work_ahead(%{ahead: []} = state), do: state

  defp work_ahead(%{ahead: [module | ahead]} = state) do
    if map_size(state.jobs) < System.schedulers_online() do
      work_ahead(needed(%{state | ahead: ahead}, module))
    else
      state
    end
  end

  defp needed(state, module) do
    guest = Instrument.guest(module)
    if guest == module or :erlang.module_loaded(guest), do: state, else: work(state, module, :low)
  end

  defp work(%{jobs: jobs} = state, module, _priority) when is_map_key(jobs, module), do: state

  defp work(state, module, priority) do
    {pid, _monitor} = :erlang.spawn_opt(fn -> exit({:made, Loader.make(module)}) end, [:monitor, priority: priority])
    %{state | jobs: Map.put(state.jobs, module, []), workers: Map.put(state.workers, pid, module)}
  end

  defp wait(state, module, from), do: %{state | jobs: Map.update!(state.jobs, module, &[from | &1])}
end
