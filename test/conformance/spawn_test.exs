defmodule Conformance.SpawnTest do
  # Starting processes: every function that does, its options, and requests.
  use Lockstep.Support.Conformance

  # The function that has raised, and what is said of its arguments.
  defp wrong(fun) do
    fun.()
  rescue
    error in ArgumentError ->
      [{module, function, args, _} | _] = __STACKTRACE__
      {error.message, module, function, arity(args)}
  end

  describe "spawn" do
    test "of a fun, of a function, linked and monitored" do
      check(fn ->
        main = self()
        Process.flag(:trap_exit, true)
        spawn(fn -> send(main, {:fun, node() == node(main)}) end)
        fun = receive(do: ({:fun, _} = m -> m))
        spawn(:erlang, :send, [main, :mfa])
        mfa = receive(do: (:mfa -> :mfa))
        linked = spawn_link(:erlang, :exit, [:reason])
        exit = receive(do: ({:EXIT, ^linked, reason} -> reason))
        {pid, ref} = spawn_monitor(:erlang, :exit, [:other])
        {fun, mfa, exit, receive(do: ({:DOWN, ^ref, :process, ^pid, reason} -> reason))}
      end)
    end

    test "on the own node by its name" do
      check(fn ->
        main = self()
        Process.flag(:trap_exit, true)
        :erlang.spawn(node(), fn -> send(main, 1) end)
        first = receive(do: (1 -> 1))
        :erlang.spawn(node(), :erlang, :send, [main, 2])
        second = receive(do: (2 -> 2))
        linked = :erlang.spawn_link(node(), fn -> exit(:three) end)
        third = receive(do: ({:EXIT, ^linked, reason} -> reason))
        {pid, ref} = :erlang.spawn_monitor(node(), :erlang, :exit, [:four])
        {first, second, third, receive(do: ({:DOWN, ^ref, :process, ^pid, reason} -> reason))}
      end)
    end

    test "wrong arguments" do
      check(fn ->
        nodes = [
          wrong(fn -> :erlang.spawn(untyped(1), fn -> :ok end) end),
          wrong(fn -> :erlang.spawn(node(), fn _ -> :ok end) |> is_pid() end),
          wrong(fn -> :erlang.spawn(node(), :m, :f, untyped(1)) end)
        ]

        funs = [
          wrong(fn -> :erlang.spawn(untyped(:no_fun)) end),
          wrong(fn -> :erlang.spawn(fn _ -> :ok end) |> is_pid() end),
          wrong(fn -> :erlang.spawn_link(untyped(:no_fun)) end),
          wrong(fn -> :erlang.spawn_monitor(fn _ -> :ok end) |> is_tuple() end),
          wrong(fn -> :erlang.spawn_opt(fn _ -> :ok end, []) |> is_pid() end)
        ]

        calls = [
          wrong(fn -> :erlang.spawn(untyped("m"), :f, []) end),
          wrong(fn -> :erlang.spawn(:m, untyped("f"), []) end),
          wrong(fn -> :erlang.spawn(:m, :f, untyped([1 | 2])) end),
          wrong(fn -> :erlang.spawn_link(:m, :f, untyped(:a)) end),
          wrong(fn -> :erlang.spawn_monitor(untyped(1), untyped(2), untyped(3)) end)
        ]

        {nodes, funs, calls}
      end)
    end

    test "of what is not defined" do
      check(fn ->
        {_, ref} = spawn_monitor(:no_such_module, :f, [1])
        receive(do: ({:DOWN, ^ref, _, _, reason} -> reason))
      end)
    end

    test "on a node that is not there" do
      check(fn ->
        Process.flag(:trap_exit, true)
        {pid, ref} = :erlang.spawn_opt(:nobody@nowhere, fn -> :ok end, [:link, :monitor])
        exit = receive(do: ({:EXIT, ^pid, reason} -> reason))
        {node(pid) == node(), exit, receive(do: ({:DOWN, ^ref, :process, ^pid, reason} -> reason))}
      end)
    end
  end

  describe "spawn_opt" do
    test "link and monitor" do
      check(fn ->
        Process.flag(:trap_exit, true)
        {pid, ref} = :erlang.spawn_opt(fn -> exit(:bye) end, [:monitor, :link])
        for _ <- 1..2, do: receive(do: ({:EXIT, ^pid, r} -> {:EXIT, r}), after: (0 -> wait_for(pid, ref)))
      end)
    end

    defp wait_for(pid, ref) do
      receive do
        {:EXIT, ^pid, reason} -> {:EXIT, reason}
        {:DOWN, ^ref, :process, ^pid, reason} -> {:DOWN, reason}
      end
    end

    test "a tag and an alias with the monitor" do
      check(fn ->
        fun = fn -> receive(do: (ref -> send(ref, :first) && send(ref, :second) && :done)) end

        for mode <- [:explicit_unalias, :demonitor, :reply_demonitor] do
          {pid, ref} = :erlang.spawn_opt(fun, monitor: [tag: {:tag, mode}, alias: mode])
          send(pid, ref)
          messages = for message <- flush(5), do: if(is_tuple(message), do: put_elem(message, 1, :ref), else: message)
          {Enum.map(messages, &plain_down(&1, pid)), :erlang.unalias(ref), :erlang.demonitor(ref, [:info])}
        end
      end)
    end

    defp plain_down({tag, :ref, :process, pid, reason}, pid), do: {tag, reason}
    defp plain_down(other, _pid), do: other

    test "of two monitors the latest counts" do
      check(fn ->
        {pid, ref} = :erlang.spawn_opt(fn -> :ok end, [{:monitor, [tag: :first]}, :monitor])
        receive(do: ({tag, ^ref, :process, ^pid, reason} -> {tag, reason, flush(2)}))
      end)
    end

    test "settings of the process" do
      check(fn ->
        options = [
          priority: :low,
          fullsweep_after: 3,
          min_heap_size: 1000,
          min_bin_vheap_size: 100_000,
          max_heap_size: 1_000_000,
          message_queue_data: :off_heap
        ]

        pid = :erlang.spawn_opt(fn -> Process.sleep(:infinity) end, [:link | options])
        keys = Keyword.keys(options)
        info = Process.info(pid, keys ++ [:garbage_collection])
        {collection, info} = Keyword.pop!(info, :garbage_collection)
        {info, Keyword.take(collection, keys)}
      end)
    end

    test "wrong options" do
      check(fn ->
        for options <- [
              [:foo],
              [{:monitor, [:foo]}],
              [{:monitor, [alias: :foo]}],
              [{:priority, :foo}],
              [{:max_heap_size, 5}],
              [{:min_heap_size, -1}],
              [{:fullsweep_after, :a}],
              [{:message_queue_data, :here}],
              [{:link, 1}],
              [:link | :monitor]
            ] do
          {wrong(fn -> :erlang.spawn_opt(fn -> :ok end, options) |> is_pid() end),
           wrong(fn -> :erlang.spawn_opt(:erlang, :self, [], options) |> is_pid() end)}
        end
      end)
    end
  end

  describe "spawn_request" do
    test "the answer comes before everything else" do
      check(fn ->
        main = self()
        ref = :erlang.spawn_request(fn -> send(main, :hello) end, [:monitor])
        pid = receive(do: ({:spawn_reply, ^ref, :ok, pid} -> pid))
        hello = receive(do: (message -> message))
        {hello, receive(do: ({:DOWN, ^ref, :process, ^pid, reason} -> reason))}
      end)
    end

    test "link, monitor and tag" do
      check(fn ->
        Process.flag(:trap_exit, true)
        ref = :erlang.spawn_request(:erlang, :exit, [:bye], [:link, :monitor, reply_tag: {:my, :tag}])
        messages = flush(5)
        {{:my, :tag}, ^ref, :ok, pid} = hd(messages)
        for message <- tl(messages), do: message |> Tuple.to_list() |> Enum.map(&named(&1, pid, ref))
      end)
    end

    defp named(pid, pid, _ref), do: :pid
    defp named(ref, _pid, ref), do: :ref
    defp named(other, _pid, _ref), do: other

    test "when to answer" do
      check(fn ->
        for reply <- [:yes, :no, :success_only, :error_only], options <- [[], [:nonsense]] do
          :erlang.spawn_request(fn -> :ok end, [{:reply, reply} | options])
          {reply, for(message <- flush(2), do: message |> Tuple.delete_at(1) |> without_pid())}
        end
      end)
    end

    defp without_pid(tuple), do: if(is_pid(elem(tuple, 2)), do: put_elem(tuple, 2, :pid), else: tuple)

    test "wrong options are answered" do
      check(fn ->
        for options <- [
              [:foo],
              [reply: :maybe],
              [reply_tag: :zz, monitor: [:x]],
              [foo: 1, reply: :no],
              [reply: :no, foo: 1, reply: :yes],
              [{:priority, :foo}, :link]
            ] do
          :erlang.spawn_request(fn -> :ok end, options)
          for message <- flush(2), do: Tuple.delete_at(message, 1)
        end
      end)
    end

    test "wrong arguments are refused" do
      check(fn ->
        [
          wrong(fn -> :erlang.spawn_request(:foo) end),
          wrong(fn -> :erlang.spawn_request(fn _ -> :ok end) end),
          wrong(fn -> :erlang.spawn_request(:foo, []) end),
          wrong(fn -> :erlang.spawn_request(:foo, 1, []) end),
          wrong(fn -> :erlang.spawn_request(:foo, :bar, untyped([1 | 2])) end),
          wrong(fn -> :erlang.spawn_request(fn -> :ok end, [:link | :x]) end),
          wrong(fn -> :erlang.spawn_request(:foo, untyped("bar"), [], []) end),
          wrong(fn -> :erlang.spawn_request(untyped(1), :foo, :bar, [], []) end),
          wrong(fn -> :erlang.spawn_request(node(), :foo, :bar, [], :x) end)
        ]
      end)
    end

    test "on the own node by its name, and on one that is not there" do
      check(fn ->
        :erlang.spawn_request(node(), fn -> :ok end)
        :erlang.spawn_request(node(), fn -> :ok end, reply: :no)
        :erlang.spawn_request(node(), :erlang, :self, [])
        :erlang.spawn_request(node(), :erlang, :self, [], reply_tag: :tagged)
        here = for message <- flush(5), do: elem(message, 0)
        :erlang.spawn_request(:nobody@nowhere, fn -> :ok end, [:link, :monitor, reply_tag: :tag])
        :erlang.spawn_request(:nobody@nowhere, fn -> :ok end, [:monitor, reply: :success_only])
        {Enum.sort(here), receive(do: ({tag, _, outcome, reason} -> {tag, outcome, reason})), flush(5)}
      end)
    end

    test "what is answered cannot be abandoned" do
      check(fn ->
        ref = :erlang.spawn_request(fn -> :ok end)

        {:erlang.spawn_request_abandon(ref), length(flush(5)), :erlang.spawn_request_abandon(ref),
         :erlang.spawn_request_abandon(make_ref()), wrong(fn -> :erlang.spawn_request_abandon(:x) end)}
      end)
    end

    test "an alias with the monitor of a request" do
      check(fn ->
        fun = fn -> receive(do: (ref -> send(ref, :first) && send(ref, :second))) end
        ref = :erlang.spawn_request(fun, monitor: [alias: :reply_demonitor, tag: :never])
        receive(do: ({:spawn_reply, ^ref, :ok, pid} -> send(pid, ref)))
        flush(5)
      end)
    end
  end
end
