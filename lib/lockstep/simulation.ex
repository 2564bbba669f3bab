defmodule Lockstep.Simulation do
  @moduledoc false
  # One run of one seed: the warden starts the main process, hears of every death, watches the wall clock, and clears
  # up. It takes no part in the steps themselves.

  alias Lockstep.{Native, WatchdogError}
  alias Lockstep.Runner.Strategies
  alias Lockstep.Runtime.{Base, Call, Callbacks, Context, Stack, Tally}
  alias Lockstep.Simulation.{Outside, Result, Verdict}

  @control :nonode@nohost
  @microseconds 1000
  # Messages between nodes are under way for up to so many virtual ms.
  @max_latency 10
  # The first use of a module is made of compiling it, and what happens outside of the run is not the program's time
  # either; nor is a wait that is none of the run's.
  @patience 60_000
  # A process that does something gets through so many reductions in less than a tenth of a second.
  @much_work 1_000_000
  @excuses [Lockstep.Instrument.Handler, Lockstep.Instrument.Server, Lockstep.Runtime.Host]

  @type config :: %{
          optional(:profile) => binary() | nil,
          optional(:scheduler) => pos_integer(),
          optional(:stacks) => [{step :: pos_integer(), process :: non_neg_integer()}],
          seed: non_neg_integer(),
          strategy: Native.strategy() | module() | {module(), args :: term()} | {:explore, Native.explorer()},
          max_steps: pos_integer(),
          max_virtual_time: pos_integer(),
          max_stall: non_neg_integer(),
          watchdog: pos_integer(),
          delivery: :instant | :async,
          ordering: :process_pair | :node_pair,
          fail_on: [:crash | :blocked],
          await: :main | :quiescence,
          nodes: [node()],
          faults: keyword(),
          escapes: :warn | :raise | :allow,
          record: boolean()
        }

  @doc "What one run of a sweep with these options is told, but for a profile of the program."
  @spec config(Lockstep.Options.t(), non_neg_integer(), boolean()) :: config()
  def config(options, seed, record?) do
    strategy = Strategies.chosen(options.strategy, seed)

    options
    |> Map.take(Lockstep.Options.of_run())
    |> Map.merge(%{seed: seed, strategy: strategy, record: record?})
  end

  @doc """
  Runs `fun` once, with one seed; blocks the caller.

  Everything happens in processes of their own, and none of them is left when this returns.
  """
  @spec run((... -> term()), config()) :: Result.t()
  def run(fun, config) do
    caller = self()
    config = Map.put_new(config, :scheduler, :erlang.system_info(:scheduler_id))
    body = fn -> exit({:lockstep_result, warden(fun, config, caller)}) end
    {warden, monitor} = :erlang.spawn_opt(body, [:monitor, {:scheduler, config.scheduler}])

    receive do
      {:DOWN, ^monitor, :process, ^warden, {:lockstep_result, result}} -> result
      {:DOWN, ^monitor, :process, ^warden, :lockstep_panic} -> panicked(config)
      {:DOWN, ^monitor, :process, ^warden, reason} -> exit(reason)
    end
  end

  defp panicked(config) do
    raise "Lockstep itself has failed in the run of seed #{config.seed} with strategy #{inspect(config.strategy)}; that is " <>
            "a bug of Lockstep, and what it says of itself has been printed to the standard error"
  end

  defp warden(fun, config, caller) do
    Process.flag(:trap_exit, true)
    Process.monitor(caller)
    store = :ets.new(:lockstep_store, [:public])
    :ets.insert(store, for(key <- [:escapes, :fail_on, :faults], do: {key, config[key]}))
    session = open(settings(config))
    if explorer = explorer(config), do: :ok = Native.explore(session, explorer)
    context = context(session, store, config)
    Base.spawn(context, 0, @control, main(fun, config.nodes))
    state = %{session: session, store: store, config: config, main: nil, progress: {0, now()}, reductions: nil}
    state = state |> begin() |> watch_on()
    result = Verdict.result(state, &stop/1)
    if explorer = explorer(config), do: :ok = Native.explored(session, explorer)
    Native.close(session)
    result
  end

  defp begin(state) do
    case Outside.init(state.config) do
      {:ok, strategy} ->
        hand_over(Native.begin(state.session))
        Map.put(state, :strategy, strategy)

      {:error, error} ->
        {:stuck, Map.put(state, :stuck, error)}
    end
  end

  # It chooses among the events, and knows what the runs before were.
  defp explorer(%{strategy: {:explore, explorer}}), do: explorer
  defp explorer(_config), do: nil

  defp open(settings) do
    case Native.new(settings, self()) do
      {:error, text} -> raise ArgumentError, text
      session -> session
    end
  end

  defp context(session, store, config) do
    %Context{
      session: session,
      id: 0,
      pid: self(),
      node: @control,
      node_number: 0,
      store: store,
      tally: Tally.new(),
      warden: self(),
      scheduler: config.scheduler,
      record?: config.record,
      explored?: explorer(config) != nil,
      stacks: Map.get(config, :stacks, [])
    }
  end

  defp settings(config) do
    %{
      seed: config.seed,
      strategy: strategy(config),
      profile: config[:profile],
      max_steps: config.max_steps,
      max_virtual_time: config.max_virtual_time * @microseconds,
      max_stall: config.max_stall * @microseconds,
      max_latency: @max_latency * @microseconds,
      async: config.delivery == :async,
      node_order: config.ordering == :node_pair,
      quiescence: config.await == :quiescence,
      fail_on_crash: :crash in config.fail_on,
      fail_on_blocked: :blocked in config.fail_on,
      record: config.record,
      control: @control
    }
  end

  defp strategy(config) do
    cond do
      explorer(config) -> :fifo
      Strategies.custom(config.strategy) -> :outside
      true -> config.strategy
    end
  end

  defp main(fun, nodes) do
    fn ->
      if nodes != [], do: Lockstep.Cluster.start_nodes(nodes)
      result = Call.apply(fun, [])
      Callbacks.finish()
      result
    end
  end

  defp hand_over({:pass, pid, grant}), do: send(pid, {:"$lockstep_turn", grant})
  defp hand_over({:choose, _warden}), do: send(self(), :"$lockstep_choose")
  defp hand_over({:over, _warden}), do: send(self(), :"$lockstep_over")

  # A process that was killed from outside dies while another is at its step.
  defp hand_over({:error, :busy}, pid), do: send(self(), {:EXIT, pid, :again})
  # The core has panicked. The run's processes are linked to the warden, and go with it.
  defp hand_over({:error, :poisoned}, _pid), do: exit(:lockstep_panic)
  defp hand_over({:error, _}, _pid), do: :ok
  defp hand_over(next, _pid), do: hand_over(next)

  defp watch(state) do
    receive do
      {:EXIT, pid, _reason} ->
        hand_over(Native.reaped(state.session, pid), pid)
        watch(state)

      {:"$lockstep_main", main} ->
        watch(%{state | main: main})

      :"$lockstep_choose" ->
        state |> choose() |> watch_on()

      :"$lockstep_over" ->
        state

      {:DOWN, _, :process, _caller, _} ->
        stop(state)
        exit(:shutdown)
    after
      max(div(state.config.watchdog, 10), 10) -> state |> look() |> watch_on()
    end
  end

  defp choose(state) do
    case Outside.choose(state.session, state.strategy) do
      {:ok, next, strategy} ->
        hand_over(next)
        %{state | strategy: strategy}

      {:error, error} ->
        {:stuck, Map.put(state, :stuck, error)}
    end
  end

  defp watch_on({:stuck, state}), do: state
  defp watch_on(state), do: watch(state)

  defp look(%{progress: {before, since}} = state) do
    steps = Native.progress(state.session)
    waited = now() - since

    cond do
      steps != before -> %{state | progress: {steps, now()}, reductions: nil}
      waited < div(state.config.watchdog, 2) -> state
      true -> state |> running() |> suspect(state, waited)
    end
  end

  # Whoever is not waiting for its turn has it. Nobody has while it is handed over, or while the core is at work.
  defp running(state) do
    waiting = Native.waiting(state.session)
    if is_list(waiting), do: Enum.find_value(waiting, &not_waiting/1)
  end

  defp not_waiting({id, real, _daemon?}) do
    case real && Process.info(real, [:current_stacktrace, :reductions]) do
      [current_stacktrace: stack, reductions: reductions] ->
        unless Enum.any?(stack, &match?({Lockstep.Runtime.Turn, :wait, 0, _}, &1)), do: {id, stack, reductions}

      nil ->
        nil
    end
  end

  # On a machine that is busy with other things a process may get no time at all: only one that has worked is at fault.
  defp suspect(running, state, waited) do
    state = %{state | reductions: state.reductions || reductions(running)}
    worked? = running != nil and reductions(running) - state.reductions >= @much_work
    limit = if worked?, do: state.config.watchdog, else: @patience

    if waited < limit or (excused?(running) and waited < @patience) do
      state
    else
      {:stuck, Map.put(state, :stuck, watchdog_error(state, running))}
    end
  end

  defp reductions({_id, _stack, reductions}), do: reductions
  defp reductions(nil), do: nil

  defp excused?({_id, stack, _reductions}), do: Enum.any?(stack, fn {module, _, _, _} -> module in @excuses end)
  defp excused?(nil), do: false

  defp watchdog_error(state, nil), do: %WatchdogError{limit: state.config.watchdog, process: nil, stacktrace: []}

  defp watchdog_error(state, {id, stack, _reductions}) do
    process = Enum.find(Verdict.processes(state.session), &(&1.id == id))
    %WatchdogError{limit: state.config.watchdog, process: process, stacktrace: Stack.clean(stack)}
  end

  # Kills what is left of the run and waits until it is gone.
  defp stop(state) do
    pids = Native.real_pids(state.session)
    monitors = for pid <- pids, do: {Process.monitor(pid), Process.exit(pid, :kill)}

    for {monitor, true} <- monitors do
      receive do
        {:DOWN, ^monitor, :process, _, _} -> :ok
      end
    end

    :ok
  end

  defp now, do: System.monotonic_time(:millisecond)
end
