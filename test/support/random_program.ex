defmodule RandomProgram do
  @moduledoc false
  # Small programs of a few processes as data, and what becomes of them when they are run.
  #
  # A program is a list of scripts, one a process. Its outcome is what each process saw, in the process's own words:
  # pids and references are replaced by who they belong to, and stack traces left out. Everything that a process sees is
  # written down at once, so what one saw that was killed is known too.
  #
  # The module is code under test: on the plain VM it runs as it is, inside Lockstep as an instrumented copy.

  alias Lockstep.Support.Sight

  # How long, in ms, a process waits for a message that may never come, and main for the last of all processes.
  @patience 20
  @end_of_time 2_000

  @type instruction :: tuple()
  @type t :: [[instruction()]]

  @doc "Runs a program; `names` are the two atoms that it registers processes under, `sight` is a `Sight`."
  @spec run(t(), [atom()], :ets.tid()) :: [{non_neg_integer(), term()}]
  def run(program, names, sight) do
    Process.flag(:trap_exit, true)
    table = :ets.new(:random_program, [:public])

    pids =
      for {script, number} <- Enum.with_index(program) do
        {pid, monitor} = spawn_monitor(fn -> process(sight, number, script) end)
        {number, pid, monitor}
      end

    world = %{main: self(), table: table, names: names, who: Map.new(pids, fn {number, pid, _} -> {pid, number} end)}
    for {_, pid, _} <- pids, do: send(pid, {:world, world})
    for {number, _pid, monitor} <- pids, do: {number, ending(monitor, world)}
  end

  defp ending(monitor, world) do
    receive do
      {:DOWN, ^monitor, :process, _, reason} -> reason(reason, world)
    after
      @end_of_time -> :no_end
    end
  end

  defp process(sight, number, script) do
    receive do
      {:world, world} ->
        state = %{world: world, me: number, refs: [], timers: []}

        Enum.reduce(script, state, fn instruction, state ->
          {what, state} = step(instruction, state)
          Sight.saw(sight, number, what)
          state
        end)
    end
  end

  defp step({:send, to, tag}, state), do: {tell(pid(to, state), {tag, state.me}), state}
  defp step({:send_name, name, tag}, state), do: {guarded(fn -> tell(name(name, state), {tag, state.me}) end), state}
  defp step({:await, tag, time}, state), do: {received(await(tag, time, state)), state}
  defp step({:take, time}, state), do: {received(take(time, state)), state}
  defp step(:mailbox, state), do: {mailbox(state), state}
  defp step({:link, to}, state), do: {guarded(fn -> Process.link(pid(to, state)) end), state}
  defp step({:unlink, to}, state), do: {Process.unlink(pid(to, state)), state}
  defp step({:exit, reason}, _state), do: exit(reason)
  defp step({:crash, reason}, _state), do: :erlang.error(reason)
  defp step({:signal, to, reason}, state), do: {Process.exit(pid(to, state), reason), state}
  defp step({:trap, on?}, state), do: {Process.flag(:trap_exit, on?), state}
  defp step({:alive, to}, state), do: {Process.alive?(pid(to, state)), state}
  defp step({:register, name}, state), do: {guarded(fn -> Process.register(self(), name(name, state)) end), state}
  defp step({:unregister, name}, state), do: {guarded(fn -> Process.unregister(name(name, state)) end), state}
  defp step({:whereis, name}, state), do: {who(Process.whereis(name(name, state)), state.world), state}
  defp step({:put, key, value}, state), do: {Process.put(key, value), state}
  defp step(:dictionary, state), do: {Enum.sort(Process.get()), state}
  defp step({:insert, key, value}, state), do: {:ets.insert_new(state.world.table, {key, value}), state}
  defp step({:lookup, key}, state), do: {:ets.lookup(state.world.table, key), state}
  defp step({:remove, key}, state), do: {:ets.take(state.world.table, key), state}
  defp step({:count, key}, state), do: {guarded(fn -> :ets.update_counter(state.world.table, key, 1) end), state}
  defp step(:links, state), do: {Process.info(self(), :links) |> elem(1) |> whom(state), state}

  defp step(:monitors, state),
    do: {Process.info(self(), :monitors) |> elem(1) |> Keyword.values() |> whom(state), state}

  defp step({:monitor, to}, state) do
    {:ok, %{state | refs: [Process.monitor(pid(to, state)) | state.refs]}}
  end

  defp step({:monitor_name, name}, state) do
    {:ok, %{state | refs: [Process.monitor(name(name, state)) | state.refs]}}
  end

  defp step({:demonitor, options}, %{refs: [ref | refs]} = state) do
    {Process.demonitor(ref, options), %{state | refs: refs}}
  end

  defp step({:demonitor, _options}, state), do: {:none, state}

  defp step({:timer, tag, time}, state) do
    {:ok, %{state | timers: [Process.send_after(self(), {tag, state.me}, time) | state.timers]}}
  end

  defp step(:cancel, %{timers: [timer | timers]} = state) do
    {is_integer(Process.cancel_timer(timer)), %{state | timers: timers}}
  end

  defp step(:cancel, state), do: {:none, state}

  defp step({:spawn, how, reason}, state) do
    {how |> start(fn -> exit(reason) end) |> is_pid(), state}
  end

  defp start(:plain, fun), do: spawn(fun)
  defp start(:link, fun), do: spawn_link(fun)
  defp start(:monitor, fun), do: fun |> spawn_monitor() |> elem(0)

  defp tell(to, message) do
    send(to, message)
    :sent
  end

  defp await(tag, time, state) do
    receive do
      {^tag, from} when is_integer(from) -> {tag, from}
    after
      time(time) -> mailbox(state, :timeout)
    end
  end

  defp take(time, state) do
    receive do
      message -> message(message, state.world)
    after
      time(time) -> :timeout
    end
  end

  # To take a message that is there is no step, because nobody can tell when it is done; but what it was is written down.
  defp received(what) do
    :erlang.yield()
    what
  end

  defp time(:long), do: @patience
  defp time(time), do: time

  defp mailbox(state, what \\ :mailbox) do
    {:messages, messages} = Process.info(self(), :messages)
    {what, Enum.map(messages, &message(&1, state.world))}
  end

  defp guarded(fun) do
    fun.()
  rescue
    error -> error.__struct__
  catch
    kind, reason -> {kind, reason}
  end

  defp pid(number, state) do
    Enum.find_value(state.world.who, fn {pid, of} -> of == number && pid end)
  end

  defp name(number, state), do: Enum.at(state.world.names, number)

  defp whom(pids, state), do: pids |> Enum.map(&who(&1, state.world)) |> Enum.sort()

  # What `main` has set up is no business of the program's.
  defp who(nil, _world), do: nil
  defp who({_name, _node}, _world), do: :by_name
  defp who(pid, %{main: pid}), do: :main
  defp who(pid, world), do: Map.get(world.who, pid, :child)

  defp message({:EXIT, pid, reason}, world), do: {:EXIT, who(pid, world), reason(reason, world)}
  defp message({:DOWN, _ref, :process, object, reason}, world), do: {:DOWN, who(object, world), reason(reason, world)}
  defp message(other, _world), do: other

  defp reason({reason, stack}, _world) when is_list(stack), do: {reason, :stack}
  defp reason(reason, _world), do: reason
end
