defmodule Conformance.SuspendTest do
  # Processes that keep others from taking steps.
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

  defp idle, do: spawn_link(fn -> Process.sleep(:infinity) end)

  # Tells main all it is sent.
  defp teller do
    main = self()
    spawn_link(fn -> tell(main) end)
  end

  defp tell(main) do
    receive(do: (message -> send(main, {:told, message})))
    tell(main)
  end

  test "a suspended process takes no step, and then takes it" do
    check(fn ->
      pid = teller()
      suspended = :erlang.suspend_process(pid)
      send(pid, :hello)
      silence = flush(5)
      resumed = :erlang.resume_process(pid)
      {suspended, silence, resumed, receive(do: (message -> message))}
    end)
  end

  test "it is to be resumed as often as it was suspended" do
    check(fn ->
      pid = teller()
      for _ <- 1..3, do: :erlang.suspend_process(pid)
      send(pid, :hello)

      for _ <- 1..3 do
        {:suspending, [{_, count, outstanding}]} = Process.info(self(), :suspending)
        before = flush(2)
        {count, outstanding, before, :erlang.resume_process(pid)}
      end
      |> then(&{&1, flush(2), Process.info(self(), :suspending)})
    end)
  end

  test "only once, if so wanted" do
    check(fn ->
      pid = idle()

      {:erlang.suspend_process(pid, [:unless_suspending]), :erlang.suspend_process(pid, [:unless_suspending]),
       :erlang.resume_process(pid), wrong(fn -> :erlang.resume_process(pid) end)}
    end)
  end

  test "asynchronously, with and without an answer" do
    check(fn ->
      pid = idle()

      results = [
        :erlang.suspend_process(pid, [:asynchronous]),
        :erlang.suspend_process(pid, asynchronous: :tag),
        :erlang.suspend_process(pid, [{:asynchronous, :again}, :unless_suspending]),
        :erlang.suspend_process(dead(), [:asynchronous]),
        :erlang.suspend_process(dead(), asynchronous: :gone)
      ]

      {results, Enum.sort(flush(5)), Process.info(pid, :status)}
    end)
  end

  test "wrong arguments" do
    check(fn ->
      pid = idle()

      [
        wrong(fn -> :erlang.suspend_process(:x) end),
        wrong(fn -> :erlang.suspend_process(:x, []) end),
        wrong(fn -> :erlang.suspend_process(pid, [:foo]) end),
        wrong(fn -> :erlang.suspend_process(pid, [:unless_suspending | :x]) end),
        wrong(fn -> :erlang.suspend_process(dead()) end),
        wrong(fn -> :erlang.suspend_process(self()) end) |> elem(2),
        wrong(fn -> :erlang.resume_process(pid) end),
        wrong(fn -> :erlang.resume_process(dead()) end),
        wrong(fn -> :erlang.resume_process(:x) end)
      ]
    end)
  end

  test "it can be killed, linked to, watched, named and asked about" do
    check(fn ->
      pid = spawn(fn -> Process.sleep(:infinity) end)
      :erlang.suspend_process(pid)
      ref = Process.monitor(pid)
      Process.register(pid, :suspended_one)
      named = {Process.whereis(:suspended_one) == pid, Process.alive?(pid), Process.info(pid, :status)}
      Process.exit(pid, :stop)
      reason = receive(do: ({:DOWN, ^ref, _, _, reason} -> reason))
      {named, reason, Process.info(self(), :suspending), Process.whereis(:suspended_one)}
    end)
  end

  test "exit signals that it traps wait in its mailbox" do
    check(fn ->
      main = self()

      pid =
        spawn(fn ->
          Process.flag(:trap_exit, true)
          send(main, :ready)
          receive(do: ({:EXIT, ^main, reason} -> send(main, {:trapped, reason})))
        end)

      receive(do: (:ready -> :ok))
      :erlang.suspend_process(pid)
      Process.exit(pid, :hello)
      waiting = {flush(2), Process.info(pid, [:message_queue_len, :status])}
      :erlang.resume_process(pid)
      {waiting, receive(do: (message -> message))}
    end)
  end

  test "goes on when its suspender ends" do
    check(fn ->
      main = self()

      for reason <- [:normal, :kill] do
        pid = teller()

        suspender =
          spawn(fn ->
            :erlang.suspend_process(pid)
            send(main, :suspended)
            receive(do: (:go -> exit(reason)))
          end)

        receive(do: (:suspended -> send(pid, :hello)))
        before = flush(3)
        if reason == :kill, do: Process.exit(suspender, :kill), else: send(suspender, :go)
        {before, receive(do: (message -> message))}
      end
    end)
  end

  test "two suspenders" do
    check(fn ->
      main = self()
      pid = teller()
      :erlang.suspend_process(pid)

      other =
        spawn_link(fn ->
          :erlang.suspend_process(pid)
          send(main, :suspended)
          receive(do: (:go -> send(main, {:resumed, :erlang.resume_process(pid)})))
          Process.sleep(:infinity)
        end)

      receive(do: (:suspended -> send(pid, :hello)))
      :erlang.resume_process(pid)
      first = flush(3)
      send(other, :go)
      {first, Enum.sort(for(_ <- 1..2, do: receive(do: (message -> message))))}
    end)
  end

  test "a receive that times out meanwhile has timed out, whatever has come" do
    check(fn ->
      main = self()

      for moment <- [:before, :later] do
        pid =
          spawn_link(fn ->
            send(main, :ready)
            first = receive(do: (message -> message), after: (8 -> :timeout))
            send(main, {first, flush(2)})
          end)

        receive(do: (:ready -> Process.sleep(1)))
        :erlang.suspend_process(pid)
        if moment == :before, do: send(pid, :hello)
        Process.sleep(20)
        if moment == :later, do: send(pid, :hello)
        :erlang.resume_process(pid)
        receive(do: (message -> message))
      end
    end)
  end

  test "a timer's message waits" do
    check(fn ->
      pid = teller()
      Process.send_after(pid, :timer, 2)
      :erlang.suspend_process(pid)
      Process.sleep(6)
      before = flush()
      :erlang.resume_process(pid)
      {before, receive(do: (message -> message))}
    end)
  end

  test "a call to a suspended server times out" do
    check(fn ->
      {:ok, agent} = Agent.start_link(fn -> 1 end)
      :erlang.suspend_process(agent)
      late = caught(fn -> Agent.get(agent, & &1, 5) end)
      :erlang.resume_process(agent)
      {late, Agent.get(agent, & &1), flush(2)}
    end)
  end
end
