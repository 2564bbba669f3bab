defmodule Conformance.TaskTest do
  # Elixir's Task and Task.Supervisor.
  use Lockstep.Support.Conformance

  def double(n), do: n * 2
  def sum(a, b), do: a + b

  defp forever, do: Process.sleep(:infinity)

  defp exits(time \\ 3), do: for({:EXIT, _, reason} <- flush(time), do: plain(reason))

  @failures [
    raise: quote(do: raise("boom")),
    exit: quote(do: exit(:reason)),
    throw: quote(do: throw(:ball)),
    normal: quote(do: exit(:normal)),
    shutdown: quote(do: exit(:shutdown)),
    killed: quote(do: Process.exit(self(), :kill))
  ]

  describe "async and await" do
    test "results in the order of asking, with functions and with modules" do
      check(fn ->
        first = Task.async(fn -> Process.sleep(5) && 1 end)
        second = Task.async(__MODULE__, :double, [2])
        {Task.await(second), Task.await(first), Task.await_many(Enum.map(1..3, &Task.async(fn -> double(&1) end)))}
      end)
    end

    test "await takes too long; the task ends with its owner" do
      check(fn ->
        {pid, ref} = spawn_monitor(fn -> Task.async(&forever/0) |> Task.await(3) end)
        {receive(do: ({:DOWN, ^ref, _, ^pid, {reason, {Task, :await, [_, time]}}} -> {reason, time}))}
      end)
    end

    test "a caught timeout leaves the task running, and a late reply comes" do
      check(fn ->
        task = Task.async(fn -> Process.sleep(8) && :late end)
        timeout = caught(fn -> Task.await(task, 2) end)
        {timeout, Process.alive?(task.pid), length(flush(20))}
      end)
    end

    for {name, code} <- @failures do
      test "a task that comes to #{name}, with an owner that traps and one that does not" do
        check(fn ->
          Process.flag(:trap_exit, true)
          awaited = caught(fn -> Task.await(Task.async(fn -> unquote(code) end)) end)
          exits = exits()
          {pid, ref} = spawn_monitor(fn -> Task.await(Task.async(fn -> unquote(code) end)) end)
          linked = receive(do: ({:DOWN, ^ref, _, ^pid, reason} -> plain(reason)))
          {awaited, exits, without_call(linked)}
        end)
      end
    end

    test "await_many: all, a timeout for all, and one that crashes" do
      check(fn ->
        Process.flag(:trap_exit, true)
        quick = for n <- 1..2, do: Task.async(fn -> n end)
        good = Task.await_many(quick, 100)
        slow = [Task.async(fn -> 1 end), Task.async(&forever/0)]
        timeout = caught(fn -> Task.await_many(slow, 4) end)
        crash = caught(fn -> Task.await_many([Task.async(&forever/0), Task.async(fn -> exit(:crash) end)]) end)
        {good, timeout, crash, Task.await_many([])}
      end)
    end

    test "only the owner may wait" do
      check(fn ->
        task = Task.async(fn -> 1 end)

        other =
          Task.async(fn -> for f <- [:await, :yield, :shutdown], do: caught(fn -> apply(Task, f, [task]) end) end)

        {Task.await(other), Task.await(task)}
      end)
    end

    test "start and start_link give no answer, child_spec and callers" do
      check(fn ->
        main = self()
        {:ok, pid} = Task.start(fn -> send(main, {:started, Process.get(:"$callers") == [main]}) end)
        {:ok, linked} = Task.start_link(fn -> send(main, {:linked, hd(Process.get(:"$ancestors")) == main}) end)
        for pid <- [pid, linked], do: wait_until(fn -> not Process.alive?(pid) end)
        messages = Enum.sort(flush())
        spec = Task.child_spec(fn -> :ok end)
        {messages, spec.restart, spec.id, Task.await(Task.async(fn -> Process.get(:"$callers") == [main] end))}
      end)
    end

    for {name, code} <- @failures do
      test "start_link of one that comes to #{name}" do
        check(fn ->
          Process.flag(:trap_exit, true)
          {:ok, _} = Task.start_link(fn -> unquote(code) end)
          first = exits()
          {:ok, pid} = Task.start(fn -> receive(do: (:go -> unquote(code))) end)
          ref = Process.monitor(pid)
          send(pid, :go)
          {first, receive(do: ({:DOWN, ^ref, _, _, reason} -> plain(reason)))}
        end)
      end
    end

    test "a completed task" do
      check(fn ->
        task = Task.completed(42)
        {task.pid, Task.await(task), Task.await_many([Task.completed(1), Task.async(fn -> 2 end)])}
      end)
    end
  end

  # Both the link and the await may be what ends an owner that does not trap.
  defp without_call({reason, {Task, :await, _}}), do: reason
  defp without_call(reason), do: reason

  describe "yield" do
    test "a result, nothing yet, and the end" do
      check(fn ->
        Process.flag(:trap_exit, true)
        slow = Task.async(fn -> receive(do: (:go -> :done)) end)
        nothing = Task.yield(slow, 2)
        send(slow.pid, :go)
        done = Task.yield(slow)
        crashed = Task.async(fn -> exit(:crash) end)
        {nothing, done, Task.yield(crashed), Task.yield(Task.async(fn -> :ok end), 0) in [nil, {:ok, :ok}]}
      end)
    end

    test "yield_many: those that are done, in the order of the tasks" do
      check(fn ->
        Process.flag(:trap_exit, true)

        tasks = [
          Task.async(&forever/0),
          Task.async(fn -> 1 end),
          Task.async(fn -> exit(:crash) end),
          Task.async(fn -> 2 end)
        ]

        first = for {task, result} <- Task.yield_many(tasks, 8), do: {Enum.find_index(tasks, &(&1 == task)), result}
        {first, Task.shutdown(hd(tasks), :brutal_kill), Task.yield_many([], 1)}
      end)
    end

    if Version.match?(System.version(), "~> 1.15") do
      test "yield_many with a limit, and with what happens on timeout" do
        check(fn ->
          tasks = [Task.async(fn -> 1 end), Task.async(&forever/0)]
          limited = for {_, result} <- Task.yield_many(tasks, limit: 1, timeout: 100), do: result
          [_, slow] = tasks
          killed = for {_, result} <- Task.yield_many([slow], timeout: 2, on_timeout: :kill_task), do: result
          {limited, killed, Process.alive?(slow.pid)}
        end)
      end
    end
  end

  describe "shutdown" do
    test "of one that runs, that is done, that is dead, that traps" do
      check(fn ->
        Process.flag(:trap_exit, true)
        running = Task.async(&forever/0)
        done = Task.async(fn -> :done end)
        dead = Task.async(fn -> exit(:crash) end)
        Process.sleep(5)

        patient =
          Task.async(fn ->
            Process.flag(:trap_exit, true)
            receive(do: ({:EXIT, _, :shutdown} -> :last_words))
          end)

        Process.sleep(3)
        results = for task <- [running, done, dead, patient], do: Task.shutdown(task, 50)
        {results, Enum.sort(exits())}
      end)
    end

    test "of one that does not want to, by timeout and by brutal_kill" do
      check(fn ->
        Process.flag(:trap_exit, true)

        deaf = fn ->
          Process.flag(:trap_exit, true)
          forever()
        end

        tasks = for _ <- 1..2, do: Task.async(deaf)
        Process.sleep(3)
        results = for {task, how} <- Enum.zip(tasks, [3, :brutal_kill]), do: Task.shutdown(task, how)
        {results, for(task <- tasks, do: Process.alive?(task.pid)), flush(2) |> Enum.map(&elem(&1, 2))}
      end)
    end

    test "after it, nothing is in the mailbox and the owner lives" do
      check(fn ->
        task = Task.async(&forever/0)
        {Task.shutdown(task), flush(3)}
      end)
    end

    test "yield or shutdown" do
      check(fn ->
        for time <- [1, 20] do
          task = Task.async(fn -> Process.sleep(8) && :done end)
          Task.yield(task, time) || Task.shutdown(task)
        end
      end)
    end

    test "ignore lets it run on without its reply" do
      check(fn ->
        main = self()

        task =
          Task.async(fn ->
            receive(do: (:go -> send(main, :ran)))
            :unwanted
          end)

        ignored = Task.ignore(task)
        send(task.pid, :go)
        done = Task.async(fn -> :done end)
        Process.sleep(3)
        {ignored, flush(5) |> Enum.filter(&(&1 == :ran)), Task.ignore(done)}
      end)
    end
  end

  describe "async_stream" do
    test "in order, whatever takes how long" do
      check(fn ->
        [6, 1, 3] |> Task.async_stream(fn n -> Process.sleep(n) && n end, max_concurrency: 3) |> Enum.to_list()
      end)
    end

    test "out of order" do
      check(fn ->
        [12, 1, 6]
        |> Task.async_stream(fn n -> Process.sleep(n) && n end, max_concurrency: 3, ordered: false)
        |> Enum.to_list()
      end)
    end

    test "out of order without different times is any order" do
      program = fn ->
        1..3 |> Task.async_stream(& &1, ordered: false, max_concurrency: 3) |> Enum.map(&elem(&1, 1))
      end

      inside = check_among(program)
      # Later tasks are started later, so the other orders are rare.
      assert length(inside) > 1
    end

    test "with module, function and arguments; an empty one; one cut short" do
      check(fn ->
        {1..3 |> Task.async_stream(__MODULE__, :double, []) |> Enum.to_list(),
         1..3 |> Task.async_stream(__MODULE__, :sum, [10], max_concurrency: 1) |> Enum.to_list(),
         [] |> Task.async_stream(& &1) |> Enum.to_list(),
         1..10 |> Task.async_stream(& &1, max_concurrency: 2) |> Enum.take(3), flush(3)}
      end)
    end

    test "no more than max_concurrency at a time" do
      check(fn ->
        {:ok, running} = Agent.start_link(fn -> {0, 0} end)
        enter = fn {n, most} -> {n + 1, max(n + 1, most)} end

        1..6
        |> Task.async_stream(
          fn _ ->
            Agent.update(running, enter)
            Process.sleep(2)
            Agent.update(running, fn {n, most} -> {n - 1, most} end)
          end,
          max_concurrency: 2
        )
        |> Stream.run()

        Agent.get(running, & &1)
      end)
    end

    test "a timeout exits the caller, or kills the task" do
      check(fn ->
        slow = fn n -> if(n == 2, do: forever(), else: n) end
        exit = caught(fn -> 1..3 |> Task.async_stream(slow, timeout: 5) |> Enum.to_list() end)

        {exit, 1..3 |> Task.async_stream(slow, timeout: 5, on_timeout: :kill_task) |> Enum.to_list(),
         1..3
         |> Task.async_stream(slow, timeout: 5, on_timeout: :kill_task, ordered: false)
         |> Enum.to_list()
         |> Enum.sort()}
      end)
    end

    if Version.match?(System.version(), "~> 1.14") do
      test "zip_input_on_exit" do
        check(fn ->
          Process.flag(:trap_exit, true)
          slow = fn n -> if(n == 2, do: forever(), else: n) end
          options = [timeout: 4, on_timeout: :kill_task, zip_input_on_exit: true]

          {1..3 |> Task.async_stream(slow, options) |> Enum.to_list(),
           1..2 |> Task.async_stream(fn n -> if(n == 2, do: exit(:crash), else: n) end, options) |> Enum.to_list()}
        end)
      end
    end

    for {name, code} <- @failures do
      test "a task that comes to #{name}, with an owner that traps and one that does not" do
        check(fn ->
          main = self()
          # The first is done before the second fails.
          fun = fn n -> if(n == 2, do: Process.sleep(3) && unquote(code), else: n) end

          for trap <- [true, false] do
            {pid, ref} =
              spawn_monitor(fn ->
                Process.flag(:trap_exit, trap)
                send(main, {:results, 1..2 |> Task.async_stream(fun) |> Enum.map(&plain/1)})
              end)

            reason = receive(do: ({:DOWN, ^ref, _, ^pid, reason} -> plain(reason)))
            {flush(), reason |> without_stream()}
          end
        end)
      end
    end

    test "an enumerable that fails takes its tasks with it" do
      check(fn ->
        Process.flag(:trap_exit, true)
        main = self()
        failing = Stream.map(1..3, fn n -> if(n == 3, do: raise("no"), else: n) end)

        result =
          caught(fn ->
            failing
            |> Task.async_stream(fn n -> send(main, {:running, self()}) && forever() && n end, max_concurrency: 3)
            |> Enum.to_list()
          end)

        pids = for {:running, pid} <- flush(3), do: pid
        {plain(result), Enum.any?(pids, &Process.alive?/1)}
      end)
    end

    test "the timeout is of each element; infinity is possible" do
      check(fn ->
        {1..4
         |> Task.async_stream(fn n -> Process.sleep(4) && n end, max_concurrency: 1, timeout: 12)
         |> Enum.to_list(), 1..2 |> Task.async_stream(& &1, timeout: :infinity) |> Enum.to_list()}
      end)
    end

    test "nested" do
      check(fn ->
        1..2
        |> Task.async_stream(fn n -> 1..2 |> Task.async_stream(&(&1 * n), max_concurrency: 2) |> Enum.to_list() end,
          max_concurrency: 2
        )
        |> Enum.to_list()
      end)
    end

    test "bad options" do
      check(fn ->
        for options <- [[max_concurrency: 0], [on_timeout: :wait]],
            do: caught(fn -> 1..2 |> Task.async_stream(& &1, options) |> Enum.to_list() end)
      end)
    end
  end

  defp without_stream({reason, {Task.Supervised, :stream, _}}), do: reason
  defp without_stream(reason), do: reason

  describe "Task.Supervisor" do
    defp supervisor(options \\ []) do
      {:ok, sup} = Task.Supervisor.start_link(options)
      sup
    end

    test "async, async_nolink, start_child and their children" do
      check(fn ->
        sup = supervisor()
        linked = Task.Supervisor.async(sup, fn -> receive(do: (:go -> 1)) end)
        other = Task.Supervisor.async_nolink(sup, __MODULE__, :double, [2])
        {:ok, child} = Task.Supervisor.start_child(sup, fn -> receive(do: (:go -> 3)) end)
        second = Task.await(other)
        wait_until(fn -> length(Task.Supervisor.children(sup)) == 2 end)
        for pid <- [linked.pid, child], do: send(pid, :go)
        {Task.await(linked), second, ending(child) in [:normal, :noproc]}
      end)
    end

    for {name, code} <- @failures do
      test "async_nolink of one that comes to #{name}" do
        check(fn ->
          sup = supervisor()
          task = Task.Supervisor.async_nolink(sup, fn -> unquote(code) end)
          awaited = caught(fn -> Task.await(task) end)
          again = Task.Supervisor.async_nolink(sup, fn -> unquote(code) end)
          {awaited, plain(Task.yield(again)), Process.alive?(sup), flush(1)}
        end)
      end

      test "start_child of a transient one that comes to #{name}" do
        check(fn ->
          {:ok, left} = Agent.start_link(fn -> 2 end)
          main = self()
          sup = supervisor()

          {:ok, _} =
            Task.Supervisor.start_child(
              sup,
              fn ->
                send(main, :started)
                if Agent.get_and_update(left, &{&1, &1 - 1}) > 0, do: unquote(code)
              end,
              restart: :transient
            )

          {flush(4), Process.alive?(sup)}
        end)
      end
    end

    test "too many children" do
      check(fn ->
        sup = supervisor(max_children: 1)
        {:ok, pid} = Task.Supervisor.start_child(sup, &forever/0)
        full = Task.Supervisor.start_child(sup, &forever/0)
        async = plain(caught(fn -> Task.Supervisor.async_nolink(sup, &forever/0) end))
        terminated = Task.Supervisor.terminate_child(sup, pid)
        {full, async, terminated, Task.Supervisor.terminate_child(sup, pid), Task.Supervisor.children(sup)}
      end)
    end

    test "when the supervisor ends, so do its tasks" do
      check(fn ->
        sup = supervisor()
        main = self()
        task = Task.Supervisor.async_nolink(sup, &forever/0)

        {:ok, patient} =
          Task.Supervisor.start_child(
            sup,
            fn ->
              Process.flag(:trap_exit, true)
              send(main, :ready)
              receive(do: ({:EXIT, _, reason} -> send(main, {:patient, reason})))
            end,
            shutdown: 100
          )

        receive(do: (:ready -> :ok))
        Supervisor.stop(sup)
        {caught(fn -> Task.await(task) end), flush(), Process.alive?(patient)}
      end)
    end

    test "async_stream and async_stream_nolink" do
      check(fn ->
        sup = supervisor()
        crash = fn n -> if(n == 2, do: exit(:crash), else: n) end

        {sup |> Task.Supervisor.async_stream([1, 2], &double/1) |> Enum.to_list(),
         sup |> Task.Supervisor.async_stream_nolink(1..3, crash, max_concurrency: 1) |> Enum.to_list(),
         sup |> Task.Supervisor.async_stream_nolink([1], __MODULE__, :sum, [10]) |> Enum.to_list(),
         sup
         |> Task.Supervisor.async_stream_nolink([1], fn _ -> forever() end, timeout: 3, on_timeout: :kill_task)
         |> Enum.to_list(), Process.alive?(sup)}
      end)
    end

    test "a stream with more tasks than there may be children" do
      check(fn ->
        sup = supervisor(max_children: 1)
        Task.Supervisor.start_child(sup, &forever/0)
        caught(fn -> sup |> Task.Supervisor.async_stream_nolink(1..2, & &1) |> Enum.to_list() end) |> plain()
      end)
    end

    test "of nobody" do
      check(fn ->
        for fun <- [
              fn -> Task.Supervisor.async(:nobody_here, fn -> 1 end) end,
              fn -> Task.Supervisor.start_child(:nobody_here, fn -> 1 end) end,
              fn -> Task.Supervisor.children(:nobody_here) end
            ],
            do: fun |> caught() |> plain()
      end)
    end

    test "the owner's death ends a task of async, not one of async_nolink" do
      check(fn ->
        sup = supervisor()
        main = self()

        owner =
          spawn(fn ->
            Process.flag(:trap_exit, true)
            linked = Task.Supervisor.async(sup, &forever/0)
            free = Task.Supervisor.async_nolink(sup, &forever/0)
            send(main, {:tasks, linked.pid, free.pid})
            receive(do: (:go -> exit(:owner_gone)))
          end)

        {linked, free} = receive(do: ({:tasks, linked, free} -> {linked, free}))
        ref = Process.monitor(linked)
        send(owner, :go)
        reason = receive(do: ({:DOWN, ^ref, _, _, reason} -> reason))
        {reason, Process.alive?(free)}
      end)
    end
  end
end
