defmodule Conformance.ProcLibTest do
  # OTP's proc_lib: processes that are started in step with their parents.
  use Lockstep.Support.Conformance

  def acknowledged(parent, value), do: acknowledged(parent, value, :normal)

  def acknowledged(parent, value, reason) do
    :proc_lib.init_ack(parent, value)
    exit(reason)
  end

  def waiting(value) do
    :proc_lib.init_ack(value)
    receive(do: (:go -> :ok))
  end

  def failing(fun), do: fun.()

  def woken(main, before) do
    receive do
      message -> send(main, {:woken, before, message})
    end
  end

  defp exits(time \\ 3), do: for({:EXIT, _, reason} <- flush(time), do: plain(reason))

  describe "spawn" do
    for {name, code} <- [
          normal: quote(do: :ok),
          exit: quote(do: exit(:reason)),
          raise: quote(do: raise("boom")),
          error: quote(do: :erlang.error(:reason)),
          throw: quote(do: throw(:ball)),
          undef: quote(do: apply(:no_such_module, :f, [])),
          shutdown: quote(do: exit({:shutdown, 1})),
          killed: quote(do: Process.exit(self(), :kill))
        ] do
      test "the reason of a process that comes to #{name}" do
        check(fn ->
          {pid, ref} = :proc_lib.spawn_opt(fn -> unquote(code) end, [:monitor])
          receive(do: ({:DOWN, ^ref, :process, ^pid, reason} -> plain(reason)))
        end)
      end
    end

    test "linked, with module, function and arguments" do
      check(fn ->
        Process.flag(:trap_exit, true)
        :proc_lib.spawn_link(__MODULE__, :failing, [fn -> exit(:one) end])
        first = exits()
        :proc_lib.spawn_link(fn -> exit(:two) end)
        {first, exits(), is_pid(:proc_lib.spawn(__MODULE__, :failing, [fn -> exit(:three) end])), exits()}
      end)
    end

    test "the dictionary has initial call and ancestors, and so has translate_initial_call" do
      check(fn ->
        Process.register(self(), :the_ancestor)
        main = self()

        child =
          :proc_lib.spawn_link(fn ->
            :proc_lib.spawn_link(fn ->
              send(main, Process.get(:"$ancestors"))
              receive(do: (:go -> :ok))
            end)

            receive(do: (:go -> :ok))
          end)

        ancestors = receive(do: (list when is_list(list) -> list))
        server = :proc_lib.spawn_link(__MODULE__, :woken, [main, 1])
        wait_until(fn -> Process.info(server, :dictionary) != {:dictionary, []} end)
        {:ok, gen_server} = GenServer.start_link(Conformance.ProcLibTest.Server, [])

        {ancestors == [child, :the_ancestor], :proc_lib.translate_initial_call(server),
         :proc_lib.initial_call(server) |> Tuple.to_list() |> Enum.take(2),
         :proc_lib.translate_initial_call(gen_server), :proc_lib.translate_initial_call(spawn(fn -> :ok end))}
      end)
    end
  end

  defmodule Server do
    use GenServer
    def init(state), do: {:ok, state}
  end

  describe "start" do
    test "returns what the child acknowledges" do
      check(fn ->
        main = self()

        {:proc_lib.start(__MODULE__, :acknowledged, [main, {:ok, 1}]),
         :proc_lib.start_link(__MODULE__, :acknowledged, [main, :anything]),
         :proc_lib.start_link(__MODULE__, :waiting, [2], 100),
         :proc_lib.start(__MODULE__, :waiting, [3], 100, [:link])}
      end)
    end

    for {name, code} <- [
          normal: quote(do: :ok),
          exit: quote(do: exit(:reason)),
          error: quote(do: :erlang.error(:reason)),
          throw: quote(do: throw(:ball)),
          killed: quote(do: Process.exit(self(), :kill))
        ] do
      test "of a child that comes to #{name} before it acknowledges" do
        check(fn ->
          Process.flag(:trap_exit, true)
          fun = fn -> unquote(code) end
          linked = :proc_lib.start_link(__MODULE__, :failing, [fun])
          {plain(linked), exits(), plain(:proc_lib.start(__MODULE__, :failing, [fun])), exits()}
        end)
      end
    end

    test "of a child that takes too long is given up, and the child killed" do
      check(fn ->
        Process.flag(:trap_exit, true)
        main = self()

        slow = fn ->
          send(main, {:pid, self()})
          Process.sleep(:infinity)
        end

        for function <- [:start, :start_link] do
          result = apply(:proc_lib, function, [__MODULE__, :failing, [slow], 3])
          pid = receive(do: ({:pid, pid} -> pid))
          {result, exits(), Process.alive?(pid)}
        end
      end)
    end

    test "start_monitor" do
      check(fn ->
        main = self()

        acknowledged = :proc_lib.start_monitor(__MODULE__, :acknowledged, [main, :hello, :gone])
        {:hello, ref} = acknowledged
        down = receive(do: ({:DOWN, ^ref, :process, _, reason} -> reason))
        {result, ref} = :proc_lib.start_monitor(__MODULE__, :failing, [fn -> exit(:no) end])
        failed = receive(do: ({:DOWN, ^ref, :process, _, reason} -> reason))
        {slow, ref} = :proc_lib.start_monitor(__MODULE__, :failing, [fn -> Process.sleep(:infinity) end], 3)
        {down, result, failed, slow, receive(do: ({:DOWN, ^ref, :process, _, reason} -> reason))}
      end)
    end

    test "a parent that does not trap goes with its child" do
      check(fn ->
        {pid, ref} =
          spawn_monitor(fn ->
            :proc_lib.start_link(__MODULE__, :failing, [fn -> exit(:no) end])
            Process.sleep(:infinity)
          end)

        receive(do: ({:DOWN, ^ref, _, ^pid, reason} -> reason))
      end)
    end

    if function_exported?(:proc_lib, :init_fail, 2) do
      test "init_fail" do
        check(fn ->
          Process.flag(:trap_exit, true)
          fail = fn -> :proc_lib.init_fail({:error, :told}, {:exit, :reason}) end
          error = fn -> :proc_lib.init_fail({:error, :told}, {:error, :reason}) end

          for fun <- [fail, error], function <- [:start, :start_link] do
            {apply(:proc_lib, function, [__MODULE__, :failing, [fun]]), exits()}
          end
        end)
      end
    end
  end

  test "hibernate goes on with the next message, and keeps the mailbox" do
    check(fn ->
      main = self()

      pid =
        :proc_lib.spawn_link(fn ->
          send(main, :ready)
          :proc_lib.hibernate(__MODULE__, :woken, [main, :before])
        end)

      receive(do: (:ready -> :ok))
      Process.sleep(3)
      alive = Process.alive?(pid)
      send(pid, :hello)
      {alive, receive(do: ({:woken, _, _} = woken -> woken))}
    end)
  end

  test "a hibernated process that then crashes still says why" do
    check(fn ->
      {pid, ref} =
        :proc_lib.spawn_opt(fn -> :proc_lib.hibernate(__MODULE__, :failing, [fn -> exit(:after_sleep) end]) end, [
          :monitor
        ])

      send(pid, :wake)
      receive(do: ({:DOWN, ^ref, :process, ^pid, reason} -> reason))
    end)
  end

  describe "stop" do
    test "with and without a reason, and of the dead" do
      check(fn ->
        for reason <- [:normal, :shutdown, :other] do
          {:ok, pid} = GenServer.start(Server, [])
          ref = Process.monitor(pid)
          stopped = :proc_lib.stop(pid, reason, 100)
          {stopped, receive(do: ({:DOWN, ^ref, _, _, reason} -> reason)), caught(fn -> :proc_lib.stop(pid) end)}
        end
      end)
    end

    test "of a process that does not listen" do
      check(fn ->
        pid = :proc_lib.spawn_link(fn -> Process.sleep(:infinity) end)
        {caught(fn -> :proc_lib.stop(pid, :normal, 5) end), Process.alive?(pid), flush(1)}
      end)
    end

    test "of a process that ends otherwise" do
      check(fn ->
        pid = :proc_lib.spawn(fn -> receive(do: ({:system, _, _} -> exit(:my_own))) end)
        caught(fn -> :proc_lib.stop(pid) end)
      end)
    end
  end
end
