defmodule Conformance.SupervisorTest do
  # OTP's supervisor, by its Erlang names and through Elixir's Supervisor.
  use Lockstep.Support.Conformance

  # Tells a process of its start and its end, in the order in which they happen.
  defmodule Child do
    use GenServer

    def start_link(to, name), do: start_link(to, name, [])
    def start_link(to, name, options), do: GenServer.start_link(__MODULE__, {to, name, options})

    @impl true
    def init({to, name, options}) do
      send(to, {:started, name})
      if options[:trap] != false, do: Process.flag(:trap_exit, true)
      options[:init] || {:ok, {to, name, options}}
    end

    @impl true
    def handle_cast({:end, reason}, state), do: {:stop, reason, state}

    @impl true
    def handle_info(_message, state), do: {:noreply, state}

    @impl true
    def terminate(reason, {to, name, options}) do
      send(to, {:ended, name, plain(reason)})
      if options[:slow], do: Process.sleep(options[:slow])
    end
  end

  # A supervisor by its callback, for what `Supervisor.start_link/2` does not offer.
  defmodule Sup do
    @behaviour :supervisor
    @impl true
    def init(spec), do: spec
  end

  defp child(id, options \\ [], spec \\ []) do
    Map.merge(%{id: id, start: {Child, :start_link, [self(), id, options]}}, Map.new(spec))
  end

  defp sup(children, flags \\ []) do
    {:ok, sup} = :supervisor.start_link(Sup, {:ok, {Map.new(flags), children}})
    sup
  end

  defp pid(sup, id), do: sup |> :supervisor.which_children() |> List.keyfind(id, 0) |> elem(1)

  defp shapes(children), do: for({id, pid, type, modules} <- children, do: {id, shape(pid), type, modules})
  defp shape(pid) when is_pid(pid), do: :pid
  defp shape({:ok, pid}) when is_pid(pid), do: :ok
  defp shape({:ok, pid, info}) when is_pid(pid), do: {:ok, info}
  defp shape({:error, {:already_started, pid}}) when is_pid(pid), do: {:error, :already_started}
  # With the child's specification, which has a pid in it.
  defp shape({:error, {reason, child}}) when elem(child, 0) == :child, do: {:error, reason}
  defp shape(other), do: plain(other)

  # What was told until there is a pause.
  defp told(time \\ 3), do: for(message <- flush(time), do: without_pids(message))

  defp without_pids({:EXIT, pid, reason}) when is_pid(pid), do: {:EXIT, plain(reason)}
  defp without_pids(other), do: other

  # Ends the child called `id` and waits until all of its consequences are over.
  defp ended(sup, id, reason) do
    GenServer.cast(pid(sup, id), {:end, reason})
    told()
  end

  describe "start and end" do
    test "in order, and in the opposite order" do
      check(fn ->
        sup = sup([child(:a), child(:b), child(:c)])
        started = told()
        listed = shapes(:supervisor.which_children(sup))
        counted = Enum.sort(:supervisor.count_children(sup))
        {started, listed, counted, Supervisor.stop(sup), told()}
      end)
    end

    test "a child that fails to start takes back those before it" do
      check(fn ->
        Process.flag(:trap_exit, true)
        children = [child(:a), child(:b, init: {:stop, :no}), child(:c)]
        result = :supervisor.start_link(Sup, {:ok, {%{}, children}})
        {:error, {:shutdown, {:failed_to_start_child, failed, reason}}} = result
        {failed, reason, told()}
      end)
    end

    test "a child that ignores is kept, or not if it is temporary" do
      check(fn ->
        sup = sup([child(:a, init: :ignore), child(:b, [init: :ignore], restart: :temporary), child(:c)])
        {shapes(:supervisor.which_children(sup)), shape(:supervisor.restart_child(sup, :a)), told()}
      end)
    end

    test "bad answers of init, and of a child's start" do
      check(fn ->
        Process.flag(:trap_exit, true)

        starts =
          for spec <- [
                :ignore,
                :bad,
                {:ok, {%{strategy: :no_such}, []}},
                {:ok, {%{intensity: -1}, []}},
                {:ok, {%{}, [:bad]}},
                {:ok, {%{}, [child(:a), child(:a)]}},
                {:ok, {%{}, [%{id: :a, start: {__MODULE__, :not_a_start, []}}]}},
                {:ok, {%{}, [%{id: :a, start: {:no_such_module, :start, []}}]}}
              ] do
            case :supervisor.start_link(Sup, spec) do
              {:error, {:shutdown, {:failed_to_start_child, id, reason}}} -> {:failed, id, plain(reason)}
              other -> other
            end
          end

        {Enum.map(starts, &reasons/1), length(told())}
      end)
    end

    test "with the parent" do
      check(fn ->
        main = self()

        parent =
          spawn(fn ->
            children = for id <- [:a, :b], do: %{id: id, start: {Child, :start_link, [main, id]}}
            {:ok, _} = Supervisor.start_link(children, strategy: :one_for_one)
            exit(:parent_gone)
          end)

        {ending(parent), told()}
      end)
    end

    test "a supervisor that is killed does not end its children in order, but they end" do
      check(fn ->
        Process.flag(:trap_exit, true)
        sup = sup([child(:a), child(:b)])
        Process.exit(sup, :kill)
        Enum.sort(told())
      end)
    end

    test "Supervisor.stop with a reason, by name; then it is gone" do
      check(fn ->
        Process.flag(:trap_exit, true)
        {:ok, sup} = Supervisor.start_link([child(:a)], strategy: :one_for_one, name: :the_supervisor)
        taken = Supervisor.start_link([], strategy: :one_for_one, name: :the_supervisor)
        stopped = Supervisor.stop(:the_supervisor, :because)

        {taken == {:error, {:already_started, sup}}, stopped, told(), Process.whereis(:the_supervisor),
         caught(fn -> Supervisor.which_children(sup) end)}
      end)
    end
  end

  # Which of them the bad specification was in is all that the reasons have in common.
  defp reasons({:failed, id, reason}), do: {:failed, id, reason}
  defp reasons({:error, {kind, _}}), do: {:error, kind}
  defp reasons(other), do: other

  def not_a_start, do: :not_a_start

  describe "restarts" do
    for strategy <- [:one_for_one, :one_for_all, :rest_for_one], failing <- [:a, :b, :c] do
      test "#{strategy} when #{failing} of three crashes, in order" do
        check(fn ->
          sup = sup([child(:a), child(:b), child(:c)], strategy: unquote(strategy))
          started = told()
          {started, ended(sup, unquote(failing), :crash), shapes(:supervisor.which_children(sup))}
        end)
      end
    end

    for restart <- [:permanent, :transient, :temporary], reason <- [:normal, :shutdown, {:shutdown, 1}, :crash] do
      test "#{restart} and #{inspect(reason)}" do
        check(fn ->
          sup = sup([child(:a, [], restart: unquote(restart)), child(:b)], strategy: :one_for_one)
          told()
          {ended(sup, :a, unquote(Macro.escape(reason))), shapes(:supervisor.which_children(sup))}
        end)
      end
    end

    for strategy <- [:one_for_all, :rest_for_one] do
      test "#{strategy} does not bring temporary siblings back" do
        check(fn ->
          sup = sup([child(:a), child(:b, [], restart: :temporary), child(:c)], strategy: unquote(strategy))
          told()
          {ended(sup, :a, :crash), shapes(:supervisor.which_children(sup))}
        end)
      end
    end

    test "too often within the period" do
      check(fn ->
        Process.flag(:trap_exit, true)
        sup = sup([child(:a), child(:b)], intensity: 2, period: 5)
        told()
        first = for _ <- 1..2, do: ended(sup, :b, :crash)
        {first, ended(sup, :b, :crash), Process.alive?(sup)}
      end)
    end

    test "intensity 0: the first crash is one too many" do
      check(fn ->
        Process.flag(:trap_exit, true)
        sup = sup([child(:a, [], restart: :transient)], intensity: 0)
        told()
        {ended(sup, :a, :crash), Process.alive?(sup)}
      end)
    end

    test "a restart that fails is tried again until it is too often" do
      check(fn ->
        Process.flag(:trap_exit, true)
        main = self()
        {:ok, failing?} = Agent.start_link(fn -> false end)

        start = fn ->
          if Agent.get(failing?, & &1), do: {:error, :not_now}, else: Child.start_link(main, :flaky)
        end

        sup = sup([%{id: :a, start: {:erlang, :apply, [start, []]}}], intensity: 3, period: 5)
        Agent.update(failing?, fn _ -> true end)
        told()
        {ended(sup, :a, :crash), Process.alive?(sup)}
      end)
    end

    test "one that fails at first comes back when it can" do
      check(fn ->
        {:ok, failures} = Agent.start_link(fn -> 0 end)
        main = self()

        start = fn ->
          case Agent.get_and_update(failures, &{&1, &1 - 1}) do
            n when n > 0 -> {:error, :not_now}
            _ -> Child.start_link(main, :flaky)
          end
        end

        sup =
          sup([%{id: :a, start: {:erlang, :apply, [start, []]}}, child(:b)], intensity: 5, strategy: :rest_for_one)

        told()
        Agent.update(failures, fn _ -> 2 end)
        {ended(sup, :a, :crash), shapes(:supervisor.which_children(sup))}
      end)
    end

    test "escalation: the inner supervisor gives up, the outer one starts it again" do
      check(fn ->
        main = self()
        leaf = %{id: :leaf, start: {Child, :start_link, [main, :leaf]}}

        inner = %{
          id: :inner,
          type: :supervisor,
          start: {:supervisor, :start_link, [{:local, :inner}, Sup, {:ok, {%{intensity: 1}, [leaf]}}]}
        }

        sup = sup([child(:a), inner, child(:b)], strategy: :rest_for_one)
        told()
        first = ended(:inner, :leaf, :crash)
        before = Process.whereis(:inner)
        second = ended(:inner, :leaf, :crash)
        {first, second, before != Process.whereis(:inner), shapes(:supervisor.which_children(sup))}
      end)
    end
  end

  describe "shutdown" do
    test "brutal_kill, a timeout and infinity" do
      check(fn ->
        children = [
          child(:patient, [slow: 6], shutdown: :infinity),
          child(:late, [slow: 50], shutdown: 3),
          child(:killed, [], shutdown: :brutal_kill),
          child(:deaf, [trap: false], shutdown: 1000)
        ]

        sup = sup(children)
        watched = for {id, pid, _, _} <- :supervisor.which_children(sup), do: {id, pid, Process.monitor(pid)}
        told()
        Supervisor.stop(sup)
        downs = for {id, pid, ref} <- watched, do: {id, receive(do: ({:DOWN, ^ref, _, ^pid, reason} -> reason))}
        {downs, told()}
      end)
    end

    test "a supervisor has all the time it wants" do
      check(fn ->
        main = self()
        leaf = %{id: :leaf, start: {Child, :start_link, [main, :leaf, [slow: 8]]}}
        inner = %{id: :inner, type: :supervisor, start: {:supervisor, :start_link, [Sup, {:ok, {%{}, [leaf]}}]}}
        sup = sup([inner])
        told()
        Supervisor.stop(sup)
        told()
      end)
    end

    if :erlang.system_info(:otp_release) >= ~c"24" do
      for {flag, ends} <- [never: [:a, :b], any_significant: [:a], all_significant: [:a, :b]] do
        test "auto_shutdown #{flag}" do
          check(fn ->
            Process.flag(:trap_exit, true)
            spec = if unquote(flag) == :never, do: [], else: [significant: true]
            transient = [restart: :transient] ++ spec
            sup = sup([child(:a, [], transient), child(:b, [], transient), child(:c)], auto_shutdown: unquote(flag))
            told()
            {for(id <- unquote(ends), do: ended(sup, id, :normal)), Process.alive?(sup)}
          end)
        end
      end

      test "a significant child that crashes is started again, and a bad specification" do
        check(fn ->
          significant = [restart: :transient, significant: true]
          sup = sup([child(:a, [], significant)], auto_shutdown: :any_significant)
          told()
          crash = ended(sup, :a, :crash)
          permanent = :supervisor.start_child(sup, child(:b, [], significant: true))
          {crash, permanent, :supervisor.start_child(sup([]), child(:b, [], significant))}
        end)
      end
    end
  end

  describe "children" do
    test "terminate, restart and delete" do
      check(fn ->
        sup = sup([child(:a), child(:b)])
        calls = [:delete_child, :restart_child, :terminate_child, :terminate_child, :restart_child, :restart_child]
        calls = calls ++ [:terminate_child, :delete_child, :delete_child, :terminate_child, :restart_child]
        results = for call <- calls, do: {call, shape(apply(:supervisor, call, [sup, :a]))}
        {results, told(), shapes(:supervisor.which_children(sup))}
      end)
    end

    test "start_child, also of one that is there already, and that fails" do
      check(fn ->
        sup = sup([child(:a)], strategy: :rest_for_one)
        :supervisor.terminate_child(sup, :a)

        results =
          for spec <- [
                child(:a),
                child(:b),
                child(:b),
                child(:c, init: {:stop, :no}),
                child(:d, init: :ignore),
                :bad,
                %{id: :no_start},
                child(:e, [], restart: :sometimes)
              ],
              do: spec |> then(&:supervisor.start_child(sup, &1)) |> shape() |> kind()

        {results, shapes(:supervisor.which_children(sup))}
      end)
    end

    test "one that has been terminated by hand stays down when a sibling crashes" do
      check(fn ->
        sup = sup([child(:a), child(:b), child(:c)], strategy: :rest_for_one)
        :supervisor.terminate_child(sup, :c)
        told()
        {ended(sup, :b, :crash), shapes(:supervisor.which_children(sup))}
      end)
    end

    test "specifications can be asked for and checked" do
      check(fn ->
        sup = sup([child(:a, [], shutdown: 5)])
        {:ok, spec} = :supervisor.get_childspec(sup, :a)

        {Map.delete(spec, :start), :supervisor.get_childspec(sup, :none),
         :supervisor.check_childspecs([child(:a), child(:a)]), :supervisor.check_childspecs([%{id: 1}]),
         :supervisor.get_callback_module(sup)}
      end)
    end

    test "code change replaces the specifications" do
      check(fn ->
        sup = sup([child(:a), child(:b)])
        # The new specification comes from init/1 of the argument the supervisor was started with.
        :sys.suspend(sup)
        changed = :sys.change_code(sup, Sup, :old, [])
        :sys.resume(sup)
        {changed, shapes(:supervisor.which_children(sup))}
      end)
    end

    test "unexpected messages and calls do no harm" do
      check(fn ->
        sup = sup([child(:a)])
        send(sup, :unexpected)
        GenServer.cast(sup, {:try_again_restart, :no_such})
        spawn_link(fn -> Process.link(sup) end)
        told()
        shapes(:supervisor.which_children(sup))
      end)
    end
  end

  defp kind({:error, {kind, value}}) when kind in [:invalid_child_spec, :invalid_restart_type],
    do: {:error, kind, value}

  defp kind(other), do: other

  describe "simple_one_for_one" do
    defp simple(spec \\ []) do
      template = Map.merge(%{id: :template, start: {Child, :start_link, [self()]}}, Map.new(spec))
      sup([template], strategy: :simple_one_for_one, intensity: 2)
    end

    test "children from a template" do
      check(fn ->
        sup = simple()
        {:ok, first} = :supervisor.start_child(sup, [:first])
        {:ok, _} = :supervisor.start_child(sup, [:second, []])
        failed = shape(:supervisor.start_child(sup, [:third, [init: {:stop, :no}]]))
        ignored = shape(:supervisor.start_child(sup, [:fourth, [init: :ignore]]))
        counted = Enum.sort(:supervisor.count_children(sup))
        listed = shapes(:supervisor.which_children(sup))
        terminated = for pid <- [first, first, :template], do: :supervisor.terminate_child(sup, pid)

        {failed, ignored, counted, listed, terminated, :supervisor.restart_child(sup, :template),
         :supervisor.delete_child(sup, :template), told()}
      end)
    end

    test "a crash restarts the one, with its arguments" do
      check(fn ->
        sup = simple(restart: :transient)
        pids = for name <- [:a, :b], do: sup |> :supervisor.start_child([name]) |> elem(1)
        told()
        GenServer.cast(hd(pids), {:end, :crash})
        crash = told()
        GenServer.cast(List.last(pids), {:end, :normal})
        {crash, told(), shapes(:supervisor.which_children(sup))}
      end)
    end

    test "all children are ended at a time" do
      check(fn ->
        sup = simple(shutdown: 20)
        for n <- 1..4, do: :supervisor.start_child(sup, [n, [slow: 5]])
        told()
        before = System.monotonic_time(:millisecond)
        Supervisor.stop(sup)
        # Four times 5 ms one after the other would take longer.
        {System.monotonic_time(:millisecond) - before < 18, Enum.sort(told())}
      end)
    end

    test "too many crashes" do
      check(fn ->
        Process.flag(:trap_exit, true)
        sup = simple()
        pids = for n <- 1..3, do: sup |> :supervisor.start_child([n]) |> elem(1)
        told()
        for pid <- pids, do: GenServer.cast(pid, {:end, :crash})
        messages = told()
        {for({:EXIT, reason} <- messages, do: reason), Process.alive?(sup)}
      end)
    end
  end

  describe "in virtual time" do
    # Periods are whole seconds, too long for the plain VM here.
    test "restarts that are far enough apart can go on for ever" do
      summary =
        Lockstep.Runner.run(
          fn ->
            sup = sup([child(:a)], intensity: 1, period: 1)

            for _ <- 1..50 do
              GenServer.cast(pid(sup, :a), {:end, :crash})
              Process.sleep(2100)
            end

            assert length(for({:started, :a} <- flush(), do: 1)) == 51
          end,
          seeds: 20
        )

      assert summary.runs == 20
    end

    test "the period slides" do
      Lockstep.Runner.run(
        fn ->
          Process.flag(:trap_exit, true)
          sup = sup([child(:a)], intensity: 2, period: 10)

          for pause <- [6_000, 6_000, 6_000, 1_000] do
            GenServer.cast(pid(sup, :a), {:end, :crash})
            Process.sleep(pause)
          end

          assert Process.alive?(sup)
          GenServer.cast(pid(sup, :a), {:end, :crash})
          Process.sleep(500)
          refute Process.alive?(sup)
        end,
        seeds: 20
      )
    end
  end
end
