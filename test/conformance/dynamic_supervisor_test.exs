defmodule Conformance.DynamicSupervisorTest do
  # Elixir's DynamicSupervisor.
  use Lockstep.Support.Conformance

  defmodule Child do
    use GenServer, restart: :permanent

    def start_link(extra \\ [], {to, name, options}),
      do: GenServer.start_link(__MODULE__, {to, name, options ++ extra})

    @impl true
    def init({to, name, options}) do
      Process.flag(:trap_exit, true)
      send(to, {:started, name, options[:extra]})
      options[:init] || {:ok, {to, name, options}}
    end

    @impl true
    def handle_cast({:end, reason}, state), do: {:stop, reason, state}

    @impl true
    def terminate(reason, {to, name, options}) do
      send(to, {:ended, name, plain(reason)})
      if options[:slow], do: Process.sleep(options[:slow])
    end
  end

  defmodule Sup do
    use DynamicSupervisor
    def init(flags), do: flags
  end

  defp sup(options \\ []) do
    {:ok, sup} = DynamicSupervisor.start_link([strategy: :one_for_one] ++ options)
    sup
  end

  defp start(sup, name, options \\ [], spec \\ []) do
    DynamicSupervisor.start_child(sup, Supervisor.child_spec({Child, {self(), name, options}}, spec))
  end

  defp pid(sup, name, options \\ [], spec \\ []), do: sup |> start(name, options, spec) |> elem(1)

  defp told(time \\ 3), do: for(message <- flush(time), do: without_pids(message))
  defp without_pids({:EXIT, pid, reason}) when is_pid(pid), do: {:EXIT, plain(reason)}
  defp without_pids(other), do: other

  test "children are started and counted; the list has no ids" do
    check(fn ->
      sup = sup()
      for n <- 1..3, do: {:ok, _} = start(sup, n)

      listed =
        for {id, pid, type, modules} <- DynamicSupervisor.which_children(sup), do: {id, is_pid(pid), type, modules}

      {listed, DynamicSupervisor.count_children(sup), told(), DynamicSupervisor.stop(sup), Enum.sort(told())}
    end)
  end

  test "starts that fail, that are ignored and that are too many" do
    check(fn ->
      sup = sup(max_children: 1)
      failed = start(sup, :a, init: {:stop, :no})
      ignored = start(sup, :b, init: :ignore)
      {:ok, pid} = start(sup, :c)
      full = start(sup, :d)
      :ok = DynamicSupervisor.terminate_child(sup, pid)
      again = match?({:ok, _}, start(sup, :e))

      bad =
        for spec <- [%{id: :x}, {:no_such_module, 1}, %{id: 1, start: {Child, :start_link, []}, restart: :sometimes}],
            do: plain(caught(fn -> DynamicSupervisor.start_child(sup, spec) end))

      {failed, ignored, full, again, bad, DynamicSupervisor.count_children(sup)}
    end)
  end

  test "extra arguments come first" do
    check(fn ->
      sup = sup(extra_arguments: [[extra: 1]])
      {match?({:ok, _}, start(sup, :a)), told()}
    end)
  end

  test "terminate_child: of a child, twice, of another" do
    check(fn ->
      sup = sup()
      pid = pid(sup, :a)
      first = DynamicSupervisor.terminate_child(sup, pid)
      {first, DynamicSupervisor.terminate_child(sup, pid), DynamicSupervisor.terminate_child(sup, self()), told()}
    end)
  end

  for restart <- [:permanent, :transient, :temporary], reason <- [:normal, :shutdown, :crash] do
    test "#{restart} and #{inspect(reason)}" do
      check(fn ->
        sup = sup()
        pid = pid(sup, :a, [], restart: unquote(restart))
        GenServer.cast(pid, {:end, unquote(reason)})
        {told(), DynamicSupervisor.count_children(sup)}
      end)
    end
  end

  test "too many restarts, and what it is told" do
    check(fn ->
      Process.flag(:trap_exit, true)
      sup = sup(max_restarts: 1)
      pids = for n <- 1..3, do: pid(sup, n)
      told()
      GenServer.cast(hd(pids), {:end, :crash})
      first = told()
      GenServer.cast(List.last(pids), {:end, :crash})
      {first, Enum.sort(told()), Process.alive?(sup)}
    end)
  end

  test "a restart that fails is tried again" do
    check(fn ->
      Process.flag(:trap_exit, true)
      main = self()
      {:ok, left} = Agent.start_link(fn -> 1 end)

      start = fn ->
        # 1: the first start; 0 and -1: two that fail; then it is well again.
        case Agent.get_and_update(left, &{&1, &1 - 1}) do
          n when n in [0, -1] -> {:error, :not_now}
          _ -> Child.start_link({main, :flaky, []})
        end
      end

      sup = sup(max_restarts: 5)
      {:ok, pid} = DynamicSupervisor.start_child(sup, %{id: :a, start: {:erlang, :apply, [start, []]}})
      GenServer.cast(pid, {:end, :crash})
      {told(), DynamicSupervisor.count_children(sup)}
    end)
  end

  test "shutdown: brutal_kill, a timeout, infinity, all at a time" do
    check(fn ->
      sup = sup()

      children =
        for {name, options, shutdown} <- [
              {:patient, [slow: 6], :infinity},
              {:late, [slow: 60], 3},
              {:killed, [], :brutal_kill},
              {:quick, [], 100}
            ],
            do: {name, pid(sup, name, options, shutdown: shutdown)}

      watched = for {name, pid} <- children, do: {name, Process.monitor(pid)}
      told()
      DynamicSupervisor.stop(sup)
      downs = for {name, ref} <- watched, do: {name, receive(do: ({:DOWN, ^ref, _, _, reason} -> reason))}
      {downs, Enum.sort(told())}
    end)
  end

  test "a module, its init and its name" do
    check(fn ->
      Process.flag(:trap_exit, true)
      {:ok, pid} = DynamicSupervisor.start_link(Sup, DynamicSupervisor.init(strategy: :one_for_one), name: :dynamic)
      {:error, {:already_started, ^pid}} = DynamicSupervisor.start_link(strategy: :one_for_one, name: :dynamic)

      bad =
        for init <- [:ignore, :bad, {:ok, %{strategy: :one_for_all}}],
            do: {DynamicSupervisor.start_link(Sup, init), told()}

      {bad, match?({:ok, _}, start(:dynamic, :a)), DynamicSupervisor.stop(:dynamic, :because), told()}
    end)
  end

  test "ends with its parent, and its children with it" do
    check(fn ->
      main = self()

      parent =
        spawn(fn ->
          {:ok, sup} = DynamicSupervisor.start_link(strategy: :one_for_one)
          DynamicSupervisor.start_child(sup, {Child, {main, :a, []}})
          exit(:parent_gone)
        end)

      {ending(parent), told()}
    end)
  end

  test "calls while it shuts down wait for nothing" do
    check(fn ->
      sup = sup()
      start(sup, :a, slow: 8)
      main = self()
      stopper = spawn(fn -> tap(DynamicSupervisor.stop(sup), fn _ -> send(main, :stopped) end) end)
      receive(do: ({:ended, :a, _} -> :ok))
      late = caught(fn -> start(sup, :b) end)
      {late, receive(do: (:stopped -> :stopped)), is_pid(stopper)}
    end)
  end
end
