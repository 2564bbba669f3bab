defmodule Conformance.HibernateTest do
  # Hibernation: nothing of the stack is left, all else stays.
  use Lockstep.Support.Conformance

  def go_on(main, tag), do: send(main, {tag, receive(do: (message -> message), after: (0 -> :nothing))})
  def leave(reason), do: exit(reason)
  def raising, do: raise("after the sleep")
  def returning(value), do: value

  def chain(main, 0), do: send(main, {:woken, flush()})

  def chain(main, n) do
    receive do
      message -> send(main, {n, message})
    end

    :erlang.hibernate(__MODULE__, :chain, [main, n - 1])
  end

  def server(main, state) do
    receive do
      {:get, from} -> send(from, {:state, state})
      {:put, value} -> :erlang.hibernate(__MODULE__, :server, [main, value])
    end

    :erlang.hibernate(__MODULE__, :server, [main, state])
  end

  defp down(pid, ref), do: receive(do: ({:DOWN, ^ref, _, ^pid, reason} -> plain(reason)))

  for {name, code} <- [
        try_after: quote(do: fn sleep, main -> try(do: sleep.(), after: send(main, :after)) end),
        try_catch:
          quote(
            do: fn sleep, main -> try(do: sleep.(), catch: (kind, reason -> send(main, {:caught, kind, reason}))) end
          ),
        try_rescue:
          quote(do: fn sleep, main -> try(do: sleep.(), rescue: (error -> send(main, {:rescued, error}))) end),
        nested:
          quote(
            do: fn sleep, main -> try(do: try(do: sleep.(), after: send(main, :inner)), after: send(main, :outer)) end
          ),
        in_map: quote(do: fn sleep, main -> Enum.map([1, 2], fn n -> send(main, {:mapping, n}) && sleep.() end) end),
        not_last: quote(do: fn sleep, main -> [sleep.(), send(main, :afterwards)] end)
      ],
      ending <- [:exit, :raise, :return] do
    test "within #{name}, with #{ending} at the end: nothing of it runs" do
      check(fn ->
        main = self()

        {function, args} =
          case unquote(ending) do
            :exit -> {:leave, [:at_last]}
            :raise -> {:raising, []}
            :return -> {:returning, [:value]}
          end

        {pid, ref} =
          spawn_monitor(fn ->
            sleep = fn -> :erlang.hibernate(__MODULE__, function, args) end
            unquote(code).(sleep, main)
          end)

        send(pid, :wake)
        {down(pid, ref), flush()}
      end)
    end
  end

  test "a message that is there wakes it at once, and stays" do
    check(fn ->
      main = self()

      {pid, ref} =
        spawn_monitor(fn ->
          send(self(), :there)
          :erlang.hibernate(__MODULE__, :go_on, [main, :woken])
        end)

      {down(pid, ref), flush()}
    end)
  end

  test "messages that a receive has passed over wake it, too" do
    check(fn ->
      main = self()

      {pid, ref} =
        spawn_monitor(fn ->
          send(self(), :first)
          send(self(), :second)
          receive(do: (:second -> :ok))
          :erlang.hibernate(__MODULE__, :go_on, [main, :woken])
        end)

      {down(pid, ref), flush()}
    end)
  end

  test "a message that was taken does not wake it" do
    check(fn ->
      main = self()

      {pid, ref} =
        spawn_monitor(fn ->
          send(self(), :only)
          receive(do: (:only -> :ok))
          :erlang.hibernate(__MODULE__, :go_on, [main, :woken])
        end)

      silence = flush(20)
      send(pid, :wake)
      {silence, down(pid, ref), flush()}
    end)
  end

  test "again and again" do
    check(fn ->
      main = self()
      {pid, ref} = spawn_monitor(fn -> chain(main, 3) end)
      for message <- [:a, :b, :c, :d], do: send(pid, message)
      reason = down(pid, ref)
      {reason, flush()}
    end)
  end

  test "a server that sleeps between its requests" do
    check(fn ->
      main = self()
      pid = spawn_link(fn -> server(main, 0) end)

      for n <- 1..3 do
        send(pid, {:put, n})
        send(pid, {:get, self()})
        receive(do: ({:state, state} -> state))
      end
    end)
  end

  for reason <- [:normal, :other, :kill], trap <- [true, false] do
    test "an exit signal #{reason} while it sleeps, #{if trap, do: "trapping", else: "not trapping"}" do
      check(fn ->
        main = self()

        {pid, ref} =
          spawn_monitor(fn ->
            Process.flag(:trap_exit, unquote(trap))
            send(main, :ready)
            :erlang.hibernate(__MODULE__, :go_on, [main, :woken])
          end)

        receive(do: (:ready -> :ok))
        Process.exit(pid, unquote(reason))
        end_or_none = receive(do: ({:DOWN, ^ref, _, _, reason} -> reason), after: (20 -> :asleep))

        case flush() do
          [{:woken, {:EXIT, ^main, reason}}] -> {end_or_none, {:woken, reason}}
          other -> {end_or_none, other}
        end
      end)
    end
  end

  test "its end kills what is linked to it, and frees its name" do
    check(fn ->
      Process.flag(:trap_exit, true)

      pid =
        spawn_link(fn ->
          Process.register(self(), :a_sleeper)
          :erlang.hibernate(__MODULE__, :leave, [:at_last])
        end)

      wait_until(fn -> Process.whereis(:a_sleeper) == pid end)
      send(:a_sleeper, :wake)
      reason = receive(do: ({:EXIT, ^pid, reason} -> reason))
      {reason, Process.whereis(:a_sleeper)}
    end)
  end

  test "monitors, timers and aliases of its own wake it" do
    check(fn ->
      main = self()
      Process.flag(:trap_exit, true)

      for way <- [:monitor, :timer, :alias, :link] do
        pid =
          spawn_link(fn ->
            case way do
              :monitor ->
                spawn_monitor(fn -> :ok end)

              :timer ->
                Process.send_after(self(), :time, 5)

              :alias ->
                reply = :erlang.alias([:reply])
                spawn(fn -> send(reply, :reply) end)

              :link ->
                Process.flag(:trap_exit, true)
                spawn_link(fn -> exit(:over) end)
            end

            :erlang.hibernate(__MODULE__, :go_on, [main, way])
          end)

        receive(do: ({:EXIT, ^pid, :normal} -> :ok))

        receive do
          {^way, {:DOWN, _, :process, _, reason}} -> {:down, reason}
          {^way, {:EXIT, _, reason}} -> {:exit, reason}
          {^way, message} -> message
        end
      end
    end)
  end

  test "by proc_lib: what crashes afterwards crashes as a process of proc_lib" do
    check(fn ->
      Process.flag(:trap_exit, true)

      for {function, args} <- [{:leave, [:at_last]}, {:raising, []}, {:returning, [1]}] do
        pid = :proc_lib.spawn_link(fn -> :proc_lib.hibernate(__MODULE__, function, args) end)
        send(pid, :wake)
        receive(do: ({:EXIT, ^pid, reason} -> plain(reason)))
      end
    end)
  end

  test "the initial call, the dictionary and the flags stay" do
    check(fn ->
      main = self()

      pid =
        spawn_link(fn ->
          Process.put(:entry, 1)
          Process.flag(:priority, :low)
          :erlang.hibernate(__MODULE__, :server, [main, 0])
        end)

      send(pid, {:get, self()})
      receive(do: ({:state, 0} -> :ok))
      {:dictionary, dictionary} = Process.info(pid, :dictionary)
      {Process.info(pid, [:initial_call, :priority, :trap_exit]), dictionary[:entry]}
    end)
  end

  test "main itself" do
    check(fn ->
      {pid, ref} =
        spawn_monitor(fn ->
          send(self(), {:message, 1})
          :erlang.hibernate(:erlang, :apply, [fn -> exit({:in_fun, flush()}) end, []])
        end)

      down(pid, ref)
    end)
  end

  test "into a function that is not there" do
    check(fn ->
      {pid, ref} =
        spawn_monitor(fn ->
          send(self(), :wake)
          :erlang.hibernate(__MODULE__, :none, [1])
        end)

      receive(do: ({:DOWN, ^ref, _, ^pid, reason} -> reason))
    end)
  end

  test "wrong arguments" do
    check(fn ->
      for [module, function, args] <- [
            [1, :f, []],
            [:m, "f", []],
            [:m, :f, :no_list],
            [:m, :f, [1 | 2]],
            [nil, nil, nil]
          ] do
        try do
          :erlang.hibernate(module, function, args)
        rescue
          error -> {error.__struct__, Exception.message(error)}
        end
      end
    end)
  end
end
