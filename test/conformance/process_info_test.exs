defmodule Conformance.ProcessInfoTest do
  # What process_info tells, and the flags it tells of.
  use Lockstep.Support.Conformance

  defp wrong(fun) do
    fun.()
  rescue
    error in ArgumentError ->
      [{module, function, args, _} | _] = __STACKTRACE__
      {error.message, module, function, arity(args)}
  end

  defp dead do
    {pid, ref} = spawn_monitor(fn -> :ok end)
    receive(do: ({:DOWN, ^ref, _, _, _} -> pid))
  end

  # A process that waits, and is known to. It waits in library code, because the mailbox of a process of this module is
  # Lockstep's outside of runs, too.
  defp waiting(before \\ fn -> :ok end) do
    main = self()

    pid =
      spawn_link(fn ->
        before.()
        send(main, {:ready, self()})
        Process.sleep(:infinity)
      end)

    receive(do: ({:ready, ^pid} -> Process.sleep(2)))
    pid
  end

  test "the items of process_info/1, in their order" do
    check(fn ->
      unnamed = Keyword.keys(Process.info(self()))
      Process.register(self(), :told_of)
      {unnamed, Keyword.keys(Process.info(self()))}
    end)
  end

  test "of a process that waits" do
    check(fn ->
      main = self()
      pid = waiting()
      items = [:status, :message_queue_len, :messages, :dictionary, :trap_exit, :error_handler, :priority, :monitors]
      {:links, links} = Process.info(pid, :links)
      {:parent, parent} = Process.info(pid, :parent)
      {:monitored_by, by} = Process.info(pid, :monitored_by)
      {Process.info(pid, items), links == [main], parent == main, by}
    end)
  end

  test "where it is" do
    check(fn ->
      pid = waiting()

      {:current_location, {module, function, arity, place}} = Process.info(pid, :current_location)
      {:current_stacktrace, stack} = Process.info(pid, :current_stacktrace)

      {Process.info(pid, [:current_function, :initial_call]), {module, function, arity, Keyword.keys(place)},
       for({module, function, arity, _} <- stack, do: {module, function, arity})}
    end)
  end

  test "where one is oneself" do
    check(fn ->
      {:current_function, function} = Process.info(self(), :current_function)
      {:current_location, {module, name, arity, place}} = Process.info(self(), :current_location)
      {function == {module, name, arity}, module, is_integer(place[:line]), Process.info(self(), :status)}
    end)
  end

  test "of one that sleeps in library code" do
    check(fn ->
      sleeping = spawn_link(fn -> Process.sleep(:infinity) end)
      timer = spawn_link(:timer, :sleep, [:infinity])
      Process.sleep(3)

      for pid <- [sleeping, timer] do
        {:current_stacktrace, [top | _]} = Process.info(pid, :current_stacktrace)
        {Process.info(pid, [:current_function, :initial_call, :status]), top |> Tuple.to_list() |> Enum.take(3)}
      end
    end)
  end

  test "of one that has just been started" do
    check(fn ->
      pid = spawn_link(:timer, :sleep, [:infinity])
      main = self()

      {Process.info(pid, :initial_call), Process.info(pid, :parent) == {:parent, main},
       Process.info(pid, :dictionary), Process.info(pid, [:registered_name, :trap_exit, :messages])}
    end)
  end

  test "messages that have come and not been looked at, and those that have" do
    check(fn ->
      pid = waiting()
      for n <- 1..2, do: send(pid, n)
      Process.sleep(2)
      looked_at = Process.info(pid, [:messages, :message_queue_len])
      Process.exit(pid, :normal)
      :erlang.suspend_process(pid)
      for n <- 3..4, do: send(pid, {:late, n})
      {looked_at, Process.info(pid, [:messages, :message_queue_len])}
    end)
  end

  test "messages of every kind" do
    check(fn ->
      main = self()

      pid =
        spawn_link(fn ->
          Process.flag(:trap_exit, true)
          child = spawn_link(fn -> receive(do: (:go -> exit(:bye))) end)
          ref = :erlang.monitor(:process, child, tag: :tag)
          :erlang.send_after(1, self(), :timer)
          send(child, :go)
          send(main, {:ready, child, ref})
          Process.sleep(:infinity)
        end)

      {child, ref} = receive(do: ({:ready, child, ref} -> {child, ref}))
      Process.sleep(10)
      {:messages, messages} = Process.info(pid, :messages)

      Enum.sort(
        for message <- messages do
          case message do
            {:EXIT, ^child, reason} -> {:EXIT, reason}
            {:tag, ^ref, :process, ^child, reason} -> {:tag, reason}
            other -> other
          end
        end
      )
    end)
  end

  test "what was sent to it before is counted" do
    check(fn ->
      pid = spawn_link(fn -> Process.sleep(:infinity) end)
      for n <- 1..5, do: send(pid, n)
      {Process.info(pid, :message_queue_len), Process.info(pid, :messages)}
    end)
  end

  test "monitors and who watches" do
    check(fn ->
      main = self()
      [one, two] = [waiting(), waiting()]
      for pid <- [one, two, one], do: Process.monitor(pid)
      Process.register(two, :watched_by_name)
      Process.monitor(:watched_by_name)
      ref = Process.monitor(one)
      Process.demonitor(ref)
      {:monitors, monitors} = Process.info(self(), :monitors)
      {:monitored_by, by} = Process.info(two, :monitored_by)
      names = %{one => :one, two => :two}

      {Enum.sort(for({:process, who} <- monitors, do: if(is_pid(who), do: names[who], else: elem(who, 0)))),
       by == [main, main]}
    end)
  end

  test "a monitor that has fired is none" do
    check(fn ->
      pid = spawn(fn -> receive(do: (:go -> :ok)) end)
      ref = Process.monitor(pid)
      send(pid, :go)
      receive(do: ({:DOWN, ^ref, _, _, _} -> Process.info(self(), :monitors)))
    end)
  end

  test "links come and go" do
    check(fn ->
      {:links, before} = Process.info(self(), :links)
      pids = for _ <- 1..3, do: waiting()
      {:links, during} = Process.info(self(), :links)
      for pid <- pids, do: Process.unlink(pid)
      {:links, later} = Process.info(self(), :links)
      for pid <- pids, do: Process.exit(pid, :kill)
      {before, Enum.sort(during) == Enum.sort(pids), later}
    end)
  end

  test "the dead" do
    check(fn ->
      pid = dead()
      {Process.info(pid), Process.info(pid, :links), Process.info(pid, []), Process.info(pid, [:links, :status])}
    end)
  end

  test "an empty list, repeated items, no name" do
    check(fn ->
      {Process.info(self(), []), Process.info(self(), [:trap_exit, :trap_exit]),
       :erlang.process_info(self(), :registered_name), Process.info(self(), :registered_name),
       Process.info(self(), [:registered_name])}
    end)
  end

  test "wrong arguments" do
    check(fn ->
      [
        wrong(fn -> :erlang.process_info(:foo) end),
        wrong(fn -> :erlang.process_info(:foo, :links) end),
        wrong(fn -> :erlang.process_info(self(), :foo) end),
        wrong(fn -> :erlang.process_info(self(), [:links, :foo]) end),
        wrong(fn -> :erlang.process_info(self(), [:links | :foo]) end),
        wrong(fn -> :erlang.process_info(self(), 1) end),
        wrong(fn -> :erlang.is_process_alive(:x) end)
      ]
    end)
  end

  test "settings, and what they were" do
    check(fn ->
      for {flag, value} <- [
            priority: :low,
            min_heap_size: 1000,
            min_bin_vheap_size: 100_000,
            message_queue_data: :off_heap,
            fullsweep_after: 5,
            max_heap_size: 1_000_000,
            sensitive: true,
            trap_exit: true,
            save_calls: 0,
            error_handler: :my_handler
          ] do
        {flag, :erlang.process_flag(flag, value), :erlang.process_flag(flag, value)}
      end
    end)
  end

  test "settings as process_info has them" do
    check(fn ->
      pid =
        waiting(fn ->
          for {flag, value} <- [
                priority: :high,
                min_heap_size: 1000,
                message_queue_data: :off_heap,
                fullsweep_after: 5
              ],
              do: :erlang.process_flag(flag, value)
        end)

      items = [:priority, :min_heap_size, :message_queue_data, :fullsweep_after, :trap_exit, :error_handler]
      {:garbage_collection, collection} = Process.info(pid, :garbage_collection)
      {Process.info(pid, items), Keyword.keys(collection), collection[:fullsweep_after]}
    end)
  end

  test "wrong flags and values" do
    check(fn ->
      for {flag, value} <- [
            trap_exit: :x,
            priority: :x,
            min_heap_size: -1,
            max_heap_size: 10,
            message_queue_data: :x,
            fullsweep_after: :x,
            sensitive: 1,
            error_handler: 1,
            save_calls: -1,
            foo: 1
          ] do
        wrong(fn -> :erlang.process_flag(flag, value) end)
      end
    end)
  end

  test "flags of others" do
    check(fn ->
      # What is said of the arguments depends on the pid, which the VM itself takes for that of a dead process.
      [pid, gone] = [waiting(), dead()]

      [
        :erlang.process_flag(pid, :save_calls, 4),
        :erlang.process_flag(pid, :save_calls, 0),
        :erlang.process_flag(self(), :save_calls, 0),
        caught(fn -> :erlang.process_flag(pid, :priority, :low) end),
        caught(fn -> :erlang.process_flag(self(), :trap_exit, true) end),
        caught(fn -> :erlang.process_flag(pid, :save_calls, -1) end),
        caught(fn -> :erlang.process_flag(gone, :save_calls, 4) end),
        caught(fn -> :erlang.process_flag(:x, :save_calls, 4) end)
      ]
    end)
  end

  test "a sensitive process keeps its data to itself" do
    check(fn ->
      pid =
        waiting(fn ->
          Process.put(:secret, 1)
          Process.flag(:sensitive, true)
        end)

      send(pid, :secret)
      Process.sleep(1)

      {Process.info(pid, [:dictionary, :backtrace]), Process.info(pid, :messages),
       Process.info(pid, :message_queue_len)}
    end)
  end

  test "an error handler of one's own" do
    check(fn ->
      :erlang.process_flag(:error_handler, Conformance.ProcessInfoTest.Handler)

      called = [
        apply(:no_such_module, :f, [1, 2]),
        apply(:lists, :no_such_function, []),
        apply(GenServer, :no_such, [3])
      ]

      before = :erlang.process_flag(:error_handler, :error_handler)
      {called, before, caught(fn -> apply(:no_such_module, :f, [1]) end)}
    end)
  end

  defmodule Handler do
    def undefined_function(module, function, args), do: {:handled, module, function, args}
  end

  test "what describes the run of a process has the shape it has on the VM" do
    check(fn ->
      pid = waiting()
      items = [:memory, :reductions, :heap_size, :total_heap_size, :stack_size]

      {for({item, value} <- Process.info(pid, items), do: {item, is_integer(value) and value > 0}),
       pid |> Process.info(:garbage_collection_info) |> elem(1) |> Keyword.keys(), Process.info(pid, :suspending),
       Process.info(pid, :sequential_trace_token), Process.info(pid, :last_calls)}
    end)
  end

  test "reductions grow" do
    check(fn ->
      {:reductions, before} = Process.info(self(), :reductions)
      for n <- 1..100, do: send(self(), n)
      {:reductions, later} = Process.info(self(), :reductions)
      later > before
    end)
  end

  test "the processes of the node" do
    check(fn ->
      pid = waiting()
      gone = dead()
      all = Process.list()
      {self() in all, pid in all, gone in all, length(all) == length(Enum.uniq(all)), Enum.all?(all, &is_pid/1)}
    end)
  end

  test "a label, where the VM has them" do
    check(fn ->
      if function_exported?(:proc_lib, :set_label, 1) do
        before = Process.info(self(), :label)
        apply(:proc_lib, :set_label, [{:my, :label}])
        {before, Process.info(self(), :label), apply(:proc_lib, :get_label, [self()])}
      else
        {{:label, :undefined}, {:label, {:my, :label}}, {:my, :label}}
      end
    end)
  end

  test "one entry of the dictionary, where the VM tells it" do
    check(fn ->
      Process.put(:a, 1)

      {caught(fn -> Process.info(self(), {:dictionary, :a}) end),
       caught(fn -> Process.info(self(), {:dictionary, :b}) end)}
    end)
  end
end
