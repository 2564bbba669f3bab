defmodule Conformance.TimerTest do
  # The timers of the VM, and OTP's timer module with its server.
  use Lockstep.Support.Conformance

  defp badarg(fun) do
    fun.()
  rescue
    error in ArgumentError ->
      # The frame of the function itself, with its arguments.
      [{module, function, args, _} | _] = __STACKTRACE__
      {error.message, module, function, count(args)}
  end

  defp count(args) when is_list(args), do: length(args)
  defp count(_arity), do: nil

  describe "the VM's timers" do
    test "a message after a while, to oneself, to another and to a name" do
      check(fn ->
        main = self()
        other = spawn_link(fn -> receive(do: (message -> send(main, {:other, message}))) end)
        Process.register(self(), :the_main)

        for {time, to} <- [{4, self()}, {10, other}, {16, :the_main}],
            do: Process.send_after(to, {:after, time}, time)

        for _ <- 1..3, do: receive(do: (message -> message))
      end)
    end

    test "a name is looked up when the timer fires" do
      check(fn ->
        Process.send_after(:later_name, :hello, 100)
        Process.send_after(:never_name, :lost, 2)
        Process.sleep(3)
        Process.register(self(), :later_name)
        receive(do: (message -> [message | flush(2)]))
      end)
    end

    test "cancelled, twice, after it has fired, by another process" do
      check(fn ->
        [first, second] = for _ <- 1..2, do: Process.send_after(self(), :never, 100)
        fired = Process.send_after(self(), :fired, 1)
        receive(do: (:fired -> :ok))
        other = Task.async(fn -> Process.cancel_timer(second) end)

        {Process.cancel_timer(first) in 1..100, Process.cancel_timer(first), Process.cancel_timer(fired),
         Task.await(other) in 1..100, Process.cancel_timer(second), Process.cancel_timer(make_ref()), flush(1)}
      end)
    end

    test "cancelled and read without waiting, and without an answer" do
      check(fn ->
        [first, second, third] = for _ <- 1..3, do: Process.send_after(self(), :never, 100)
        read = :erlang.read_timer(first, async: true)
        cancelled = :erlang.cancel_timer(first, async: true)
        gone = :erlang.cancel_timer(first, async: true)
        silent = {:erlang.cancel_timer(second, async: true, info: false), :erlang.cancel_timer(third, info: false)}

        messages = for {kind, ref, left} <- flush(5), do: {kind, ref == first, is_integer(left) && left in 1..100}

        {read, cancelled, gone, silent, messages}
      end)
    end

    test "read" do
      check(fn ->
        ref = :erlang.start_timer(50, self(), :message)

        {:erlang.read_timer(ref) in 1..50, Process.read_timer(make_ref()), is_integer(Process.cancel_timer(ref)),
         Process.read_timer(ref)}
      end)
    end

    test "one for a process that has ended is gone" do
      check(fn ->
        {pid, monitor} = spawn_monitor(fn -> receive(do: (:go -> :ok)) end)
        ref = Process.send_after(pid, :lost, 50)
        send(pid, :go)
        receive(do: ({:DOWN, ^monitor, _, _, _} -> :ok))
        late = Process.send_after(pid, :lost, 50)
        Process.sleep(3)
        {Process.read_timer(ref), Process.cancel_timer(ref), Process.cancel_timer(late)}
      end)
    end

    test "one outlives the process that started it" do
      check(fn ->
        main = self()
        {pid, ref} = spawn_monitor(fn -> Process.send_after(main, :hello, 4) end)
        receive(do: ({:DOWN, ^ref, _, ^pid, _} -> :ok))
        receive(do: (message -> [message | flush(2)]))
      end)
    end

    test "at an absolute time, also in the past" do
      check(fn ->
        now = :erlang.monotonic_time(:millisecond)
        future = :erlang.start_timer(now + 5, self(), :future, abs: true)
        past = :erlang.start_timer(now - 1000, self(), :past, abs: true)
        names = %{future => :future, past => :past}
        for _ <- 1..2, do: receive(do: ({:timeout, ref, message} -> {names[ref], message}))
      end)
    end

    test "no earlier than asked for" do
      check(fn ->
        before = System.monotonic_time(:microsecond)
        Process.send_after(self(), :now, 5)
        receive(do: (:now -> :ok))
        System.monotonic_time(:microsecond) - before >= 5000
      end)
    end

    test "a very long time is no wrong argument" do
      check(fn ->
        for time <- [4_294_967_296, 100_000_000_000],
            do: is_integer(Process.cancel_timer(Process.send_after(self(), :never, time)))
      end)
    end

    test "wrong arguments" do
      check(fn ->
        ref = make_ref()

        for fun <- [
              fn -> :erlang.send_after(-1, self(), :message) end,
              fn -> :erlang.send_after(1.5, self(), :message) end,
              fn -> :erlang.send_after(9_223_372_036_855, self(), :message) end,
              fn -> :erlang.send_after(1, {:name, node()}, :message) end,
              fn -> :erlang.send_after(1, self(), :message, [:abs]) end,
              fn -> :erlang.start_timer(:soon, self(), :message) end,
              fn -> :erlang.start_timer(1, "name", :message, abs: true) end,
              fn -> :erlang.start_timer(1, self(), :message, abs: 1) end,
              fn -> :erlang.cancel_timer(:ref) end,
              fn -> :erlang.cancel_timer(ref, [:async]) end,
              fn -> :erlang.read_timer(1) end,
              fn -> :erlang.read_timer(ref, info: true) end
            ],
            do: badarg(fun)
      end)
    end
  end

  describe "timer" do
    test "sleep and tc" do
      check(fn ->
        {time, value} = :timer.tc(fn -> :timer.sleep(4) end)

        {time >= 4000, value, elem(:timer.tc(&(&1 + 1), [1]), 1), elem(:timer.tc(:erlang, :+, [1, 2]), 1),
         :timer.sleep(0)}
      end)
    end

    test "send_after of 0, and its cancelling" do
      check(fn ->
        Process.register(self(), :the_main)
        refs = for to <- [self(), :the_main, {:the_main, node()}], do: :timer.send_after(0, to, {:now, is_pid(to)})
        {:ok, ref} = :timer.send_after(0, :last)
        {Enum.map(refs, &elem(&1, 0)), flush(), :timer.cancel(ref)}
      end)
    end

    test "send_after to oneself, to another and to names; and cancelled" do
      check(fn ->
        Process.register(self(), :the_main)
        {:ok, _} = :timer.send_after(3, :self)
        {:ok, _} = :timer.send_after(9, :the_main, :name)
        {:ok, _} = :timer.send_after(15, {:the_main, node()}, :name_and_node)
        {:ok, local} = :timer.send_after(5, :never)
        {:ok, remote} = :timer.send_after(5, :the_main, :never)
        cancelled = for ref <- [local, remote, remote], do: :timer.cancel(ref)
        {cancelled, flush(25)}
      end)
    end

    test "apply_after" do
      check(fn ->
        main = self()
        {:ok, _} = :timer.apply_after(2, :erlang, :send, [main, :applied])
        {:ok, _} = :timer.apply_after(0, :erlang, :send, [main, :at_once])
        {:ok, _} = :timer.apply_after(8, __MODULE__, :who, [main])
        {:ok, ref} = :timer.apply_after(1000, :erlang, :send, [main, :never])

        {receive(do: (:at_once -> 1)), receive(do: (:applied -> 2)), receive(do: ({:who, main?} -> main?)),
         :timer.cancel(ref)}
      end)
    end

    test "apply_after of something that crashes does no harm" do
      check(fn ->
        {:ok, _} = :timer.apply_after(1, :erlang, :error, [:crash])
        {:ok, _} = :timer.apply_after(6, :erlang, :send, [self(), :still_here])
        receive(do: (message -> [message | flush(2)]))
      end)
    end

    test "exit_after and kill_after" do
      check(fn ->
        pids = for _ <- 1..3, do: spawn_monitor(fn -> Process.sleep(:infinity) end)
        [{first, _}, {second, _}, {third, _}] = pids
        {:ok, _} = :timer.exit_after(2, first, :reason)
        {:ok, _} = :timer.kill_after(2, second)
        {:ok, ref} = :timer.kill_after(10, third)
        {:ok, :cancel} = :timer.cancel(ref)
        Process.sleep(20)

        {for({pid, ref} <- Enum.take(pids, 2), do: receive(do: ({:DOWN, ^ref, _, ^pid, reason} -> reason))),
         Process.alive?(third)}
      end)
    end

    test "send_interval until it is cancelled" do
      check(fn ->
        {:ok, ref} = :timer.send_interval(3, :tick)
        for _ <- 1..3, do: receive(do: (:tick -> :ok))
        cancelled = :timer.cancel(ref)
        flush()
        {cancelled, flush(10), :timer.cancel(ref)}
      end)
    end

    test "apply_interval ends with the process that asked for it" do
      check(fn ->
        main = self()

        pid =
          spawn(fn ->
            {:ok, _} = :timer.apply_interval(3, :erlang, :send, [main, :tick])
            receive(do: (:go -> :ok))
          end)

        receive(do: (:tick -> :ok))
        send(pid, :go)
        ending(pid)
        # One may be under way.
        flush(3)
        flush(12)
      end)
    end

    test "send_interval to a process ends with that process" do
      check(fn ->
        main = self()

        pid =
          spawn(fn ->
            for _ <- 1..2, do: receive(do: (:tick -> send(main, :ticked)))
          end)

        {:ok, ref} = :timer.send_interval(2, pid, :tick)
        reason = ending(pid)
        Process.sleep(5)
        {reason, flush(), :timer.cancel(ref)}
      end)
    end

    test "many at different times come in order" do
      check(fn ->
        for n <- [5, 1, 3, 2, 4], do: {:ok, _} = :timer.apply_after(n * 6, :erlang, :send, [self(), n])
        for _ <- 1..5, do: receive(do: (n -> n))
      end)
    end

    test "wrong arguments" do
      check(fn ->
        for fun <- [
              fn -> :timer.send_after(-1, :message) end,
              fn -> :timer.send_after(1, "name", :message) end,
              fn -> :timer.apply_after(:soon, :erlang, :send, []) end,
              fn -> :timer.apply_interval(1, :erlang, :send, :no_list) end,
              fn -> :timer.send_interval(-1, :message) end,
              fn -> :timer.cancel(:no_timer) end,
              fn -> :timer.cancel({:once, :no_ref}) end
            ],
            do: caught(fun)
      end)
    end

    test "units" do
      check(fn -> {:timer.seconds(2), :timer.minutes(2), :timer.hours(2), :timer.hms(1, 2, 3)} end)
    end

    # Too long for the plain VM here.
    test "an interval neither drifts nor stops, in virtual time" do
      Lockstep.Runner.run(
        fn ->
          start = System.monotonic_time(:millisecond)
          {:ok, _} = :timer.send_interval(60_000, :tick)
          for _ <- 1..30, do: receive(do: (:tick -> :ok))
          assert_in_delta System.monotonic_time(:millisecond) - start, 30 * 60_000, 500
        end,
        seeds: 20
      )
    end
  end

  def who(main), do: send(main, {:who, self() == main})
end
