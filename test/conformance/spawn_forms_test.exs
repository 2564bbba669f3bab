defmodule Conformance.SpawnFormsTest do
  # Starting processes, in all the ways there are.
  use Lockstep.Support.Conformance

  def report(to, what), do: send(to, {:report, what, self()})
  def leave(reason), do: exit(reason)

  # What the started process says, and whether it is the one whose pid was given.
  defp said(pid), do: receive(do: ({:report, what, from} -> {what, from == pid}))

  defp without_fun({{:badarity, {fun, args}}, stack}) when is_function(fun), do: {{:badarity, {:fun, args}}, stack}
  defp without_fun(other), do: other

  defp ended(pid, ref), do: receive(do: ({:DOWN, ^ref, :process, ^pid, reason} -> plain(reason)))

  describe "arities of" do
    test "spawn" do
      check(fn ->
        main = self()

        for start <- [
              fn -> :erlang.spawn(fn -> report(main, 1) end) end,
              fn -> :erlang.spawn(node(), fn -> report(main, 2) end) end,
              fn -> :erlang.spawn(__MODULE__, :report, [main, 3]) end,
              fn -> :erlang.spawn(node(), __MODULE__, :report, [main, 4]) end
            ],
            do: said(start.())
      end)
    end

    test "spawn_link" do
      check(fn ->
        Process.flag(:trap_exit, true)

        for start <- [
              fn -> :erlang.spawn_link(fn -> exit(1) end) end,
              fn -> :erlang.spawn_link(node(), fn -> exit(2) end) end,
              fn -> :erlang.spawn_link(__MODULE__, :leave, [3]) end,
              fn -> :erlang.spawn_link(node(), __MODULE__, :leave, [4]) end
            ] do
          pid = start.()
          receive(do: ({:EXIT, ^pid, reason} -> reason))
        end
      end)
    end

    test "spawn_monitor" do
      check(fn ->
        for start <- [
              fn -> :erlang.spawn_monitor(fn -> exit(1) end) end,
              fn -> :erlang.spawn_monitor(node(), fn -> exit(2) end) end,
              fn -> :erlang.spawn_monitor(__MODULE__, :leave, [3]) end,
              fn -> :erlang.spawn_monitor(node(), __MODULE__, :leave, [4]) end
            ] do
          {pid, ref} = start.()
          {ended(pid, ref), is_reference(ref)}
        end
      end)
    end

    test "spawn_opt" do
      check(fn ->
        for start <- [
              fn -> :erlang.spawn_opt(fn -> exit(1) end, [:monitor]) end,
              fn -> :erlang.spawn_opt(node(), fn -> exit(2) end, [:monitor]) end,
              fn -> :erlang.spawn_opt(__MODULE__, :leave, [3], [:monitor]) end,
              fn -> :erlang.spawn_opt(node(), __MODULE__, :leave, [4], [:monitor]) end
            ] do
          {pid, ref} = start.()
          ended(pid, ref)
        end
      end)
    end

    test "spawn_request" do
      check(fn ->
        for start <- [
              fn -> :erlang.spawn_request(fn -> :ok end) end,
              fn -> :erlang.spawn_request(node(), fn -> :ok end) end,
              fn -> :erlang.spawn_request(fn -> :ok end, []) end,
              fn -> :erlang.spawn_request(node(), fn -> :ok end, []) end,
              fn -> :erlang.spawn_request(__MODULE__, :leave, [3]) end,
              fn -> :erlang.spawn_request(node(), __MODULE__, :leave, [4]) end,
              fn -> :erlang.spawn_request(__MODULE__, :leave, [3], []) end,
              fn -> :erlang.spawn_request(node(), __MODULE__, :leave, [4], []) end
            ] do
          ref = start.()
          receive(do: ({:spawn_reply, ^ref, result, pid} -> {result, is_pid(pid)}))
        end
      end)
    end
  end

  describe "wrong arguments of" do
    test "spawn" do
      check(fn ->
        for start <- [
              fn -> :erlang.spawn(untyped(:no_fun)) end,
              fn -> :erlang.spawn(untyped(1), fn -> :ok end) end,
              fn -> :erlang.spawn(node(), :no_fun) end,
              fn -> :erlang.spawn(untyped("module"), :report, []) end,
              fn -> :erlang.spawn(__MODULE__, untyped("report"), []) end,
              fn -> :erlang.spawn(__MODULE__, :report, untyped(:no_list)) end,
              fn -> :erlang.spawn(__MODULE__, :report, untyped([1 | 2])) end,
              fn -> :erlang.spawn(untyped("node"), __MODULE__, :report, []) end,
              fn -> :erlang.spawn(node(), __MODULE__, :report, untyped(:no_list)) end
            ],
            do: refused(start)
      end)
    end

    test "spawn_link and spawn_monitor" do
      check(fn ->
        for start <- [
              fn -> :erlang.spawn_link(untyped(:no_fun)) end,
              fn -> :erlang.spawn_link(untyped(1), fn -> :ok end) end,
              fn -> :erlang.spawn_link(untyped("module"), :report, []) end,
              fn -> :erlang.spawn_link(node(), __MODULE__, :report, untyped(:no_list)) end,
              fn -> :erlang.spawn_monitor(untyped(:no_fun)) end,
              fn -> :erlang.spawn_monitor(untyped(1), fn -> :ok end) end,
              fn -> :erlang.spawn_monitor(untyped("module"), :report, []) end,
              fn -> :erlang.spawn_monitor(:nowhere@nohost, __MODULE__, :report, untyped(:no_list)) end,
              fn -> :erlang.spawn_monitor(fn x -> x end) end
            ],
            do: refused(start)
      end)
    end

    for {name, options} <- [
          atom: :link,
          improper: quote(do: [:link | :monitor]),
          unknown: [:unknown],
          unknown_pair: [unknown: 1],
          priority: [priority: :urgent],
          heap: [min_heap_size: -1],
          sweeps: [fullsweep_after: :never],
          limit: [max_heap_size: :none],
          queue: [message_queue_data: :nowhere],
          monitor: [monitor: :yes],
          monitor_option: [monitor: [:unknown]],
          alias: [monitor: [alias: :unknown]],
          reply: [reply: :yes]
        ] do
      test "spawn_opt: option #{name}" do
        check(fn ->
          {refused(fn -> :erlang.spawn_opt(fn -> :ok end, unquote(options)) end),
           refused(fn -> :erlang.spawn_opt(node(), fn -> :ok end, unquote(options)) end),
           refused(fn -> :erlang.spawn_opt(__MODULE__, :leave, [1], unquote(options)) end),
           refused(fn -> :erlang.spawn_opt(node(), __MODULE__, :leave, [1], unquote(options)) end), flush()}
        end)
      end

      test "spawn_request: option #{name}" do
        check(fn ->
          case refused(fn -> :erlang.spawn_request(__MODULE__, :leave, [:normal], unquote(options)) end) do
            ref when is_reference(ref) ->
              receive(do: ({:spawn_reply, ^ref, result, value} -> {result, if(is_pid(value), do: :pid, else: value)}))

            refusal ->
              refusal
          end
        end)
      end
    end

    test "spawn_request" do
      check(fn ->
        for start <- [
              fn -> :erlang.spawn_request(untyped(:no_fun)) end,
              fn -> :erlang.spawn_request(untyped(:no_fun), []) end,
              fn -> :erlang.spawn_request(fn x -> x end, []) end,
              fn -> :erlang.spawn_request(untyped(1), fn -> :ok end, []) end,
              fn -> :erlang.spawn_request(untyped("module"), :f, [], []) end,
              fn -> :erlang.spawn_request(:m, :f, untyped([1 | 2]), []) end,
              fn -> :erlang.spawn_request(:m, :f, untyped([1 | 2])) end,
              fn -> :erlang.spawn_request(:nowhere@nohost, :m, :f, untyped(:no_list), []) end,
              fn -> :erlang.spawn_request(untyped("node"), :m, :f, [], []) end
            ],
            do: refused(start)
      end)
    end
  end

  describe "spawn_opt" do
    test "with every option that has no effect on what a program sees" do
      check(fn ->
        options = [
          priority: :high,
          fullsweep_after: 0,
          min_heap_size: 1000,
          min_bin_vheap_size: 1000,
          max_heap_size: 0,
          message_queue_data: :off_heap
        ]

        main = self()

        pid =
          :erlang.spawn_opt(fn -> report(main, Process.info(self(), [:priority, :message_queue_data])) end, options)

        said(pid)
      end)
    end

    test "link and monitor at once: both tell" do
      check(fn ->
        Process.flag(:trap_exit, true)
        {pid, ref} = :erlang.spawn_opt(fn -> exit(:over) end, [:link, :monitor])

        for message <- [{:EXIT, pid, :over}, {:DOWN, ref, :process, pid, :over}] do
          receive(do: (^message -> :came))
        end
      end)
    end

    test "a monitor with a tag" do
      check(fn ->
        {pid, ref} = :erlang.spawn_opt(fn -> exit(:over) end, monitor: [tag: {:my, :tag}])
        receive(do: ({tag, ^ref, :process, ^pid, reason} -> {tag, reason}))
      end)
    end

    for mode <- [:explicit_unalias, :demonitor, :reply_demonitor] do
      test "a monitor with an alias, #{mode}" do
        check(fn ->
          {pid, ref} =
            :erlang.spawn_opt(fn -> receive(do: ({:to, to} -> send(to, :hello))) end, monitor: [alias: unquote(mode)])

          send(pid, {:to, ref})
          first = receive(do: (:hello -> :hello))
          # A reply ends the monitor of the last mode.
          down = receive(do: ({:DOWN, ^ref, _, _, reason} -> reason), after: (20 -> :none))
          {first, down, :erlang.unalias(ref), :erlang.demonitor(ref, [:info])}
        end)
      end
    end

    test "the same option twice: the last counts" do
      check(fn ->
        {pid, ref} = :erlang.spawn_opt(fn -> exit(:over) end, [:monitor, monitor: [tag: :second]])
        {_other, again} = :erlang.spawn_opt(fn -> exit(:over) end, [{:monitor, [tag: :first]}, :monitor])
        {receive(do: ({tag, ^ref, _, ^pid, _} -> tag)), receive(do: ({tag, ^again, _, _, _} -> tag))}
      end)
    end
  end

  describe "spawn_request" do
    for {reply, option} <- [yes: [], no: [], error_only: [], success_only: []], wrong? <- [false, true] do
      test "reply: #{reply}#{if wrong?, do: ", and a wrong option"}" do
        check(fn ->
          wrong = if unquote(wrong?), do: [:wrong], else: []
          ref = :erlang.spawn_request(fn -> :ok end, [{:reply, unquote(reply)} | wrong] ++ unquote(option))

          receive do
            {:spawn_reply, ^ref, result, value} -> {result, is_pid(value) or value}
          after
            20 -> :no_reply
          end
        end)
      end
    end

    test "a tag for the reply" do
      check(fn ->
        ref = :erlang.spawn_request(fn -> :ok end, reply_tag: {:a, untyped("tag")})
        wrong = :erlang.spawn_request(fn -> :ok end, [:wrong, reply_tag: :other])
        for r <- [ref, wrong], do: receive(do: ({tag, ^r, result, _} -> {tag, result}))
      end)
    end

    test "with a monitor: the reply comes first, with the reference of the monitor" do
      check(fn ->
        ref = :erlang.spawn_request(fn -> exit(:over) end, [:monitor])

        for _ <- 1..2 do
          receive do
            {:spawn_reply, ^ref, :ok, pid} -> {:reply, is_pid(pid)}
            {:DOWN, ^ref, :process, _, reason} -> {:down, reason}
          end
        end
      end)
    end

    test "with a link: the reply comes first" do
      check(fn ->
        Process.flag(:trap_exit, true)
        ref = :erlang.spawn_request(fn -> exit(:over) end, [:link])

        receive(do: (first -> elem(first, 0)))
        |> then(&[&1, receive(do: (second -> {elem(second, 0), elem(second, 2)})), is_reference(ref)])
      end)
    end

    test "with a monitor, a tag and an alias" do
      check(fn ->
        options = [:link, monitor: [tag: :gone, alias: :reply_demonitor], reply_tag: :started]
        ref = :erlang.spawn_request(fn -> receive(do: (:go -> :ok)) end, options)
        pid = receive(do: ({:started, ^ref, :ok, pid} -> pid))
        send(ref, :through_the_alias)
        send(pid, :go)
        {receive(do: (:through_the_alias -> :came)), flush(20), :erlang.demonitor(ref, [:info])}
      end)
    end

    test "abandoned too late, or never made" do
      check(fn ->
        ref = :erlang.spawn_request(fn -> :ok end, [])
        receive(do: ({:spawn_reply, ^ref, :ok, _} -> :ok))

        {:erlang.spawn_request_abandon(ref), :erlang.spawn_request_abandon(make_ref()),
         refused(fn -> :erlang.spawn_request_abandon(:no_reference) end)}
      end)
    end
  end

  describe "a process on a node that is not there" do
    test "has ended when it is there" do
      check(fn ->
        {pid, ref} = :erlang.spawn_monitor(:nowhere@nohost, fn -> :ok end)
        alone = :erlang.spawn(:nowhere@nohost, :m, :f, [])
        {ended(pid, ref), node(pid) == node(), node(alone) == node()}
      end)
    end

    test "is linked all the same" do
      check(fn ->
        Process.flag(:trap_exit, true)
        pid = :erlang.spawn_link(:nowhere@nohost, fn -> :ok end)
        {other, ref} = :erlang.spawn_opt(:nowhere@nohost, :m, :f, [], [:link, :monitor])
        exits = for p <- [pid, other], do: receive(do: ({:EXIT, ^p, reason} -> reason))
        {exits, ended(other, ref)}
      end)
    end

    test "is not there, says spawn_request" do
      check(fn ->
        ref = :erlang.spawn_request(:nowhere@nohost, fn -> :ok end, [:monitor, :link])
        {receive(do: ({:spawn_reply, ^ref, result, value} -> {result, value})), flush(20)}
      end)
    end
  end

  describe "a started process" do
    test "of a function that is not there" do
      check(fn ->
        for {function, args} <- [{:none, []}, {:leave, []}, {:leave, [1, :two]}] do
          {pid, ref} = spawn_monitor(__MODULE__, function, args)
          receive(do: ({:DOWN, ^ref, :process, ^pid, reason} -> reason))
        end
      end)
    end

    test "of a module that is not there" do
      check(fn ->
        {pid, ref} = spawn_monitor(:no_such_module, :f, [:x])
        receive(do: ({:DOWN, ^ref, :process, ^pid, reason} -> reason))
      end)
    end

    test "of a function of the VM itself" do
      check(fn ->
        {pid, ref} = spawn_monitor(:erlang, :exit, [:by_the_vm])
        {other, other_ref} = spawn_monitor(:erlang, :+, [1, :a])
        {third, third_ref} = spawn_monitor(:lists, :reverse, [[1, 2]])
        {ended(pid, ref), ended(other, other_ref), ended(third, third_ref)}
      end)
    end

    test "of too many arguments" do
      check(fn ->
        {pid, ref} = spawn_monitor(__MODULE__, :report, List.duplicate(0, 300))
        receive(do: ({:DOWN, ^ref, :process, ^pid, reason} -> reason))
      end)
    end

    for {name, fun} <- [
          fun: quote(do: fn x -> x end),
          capture: quote(do: &:lists.reverse/1),
          tuple: quote(do: {:lists, :reverse}),
          right: quote(do: &:erlang.node/0)
        ] do
      test "of what may not be a fun without arguments: #{name}" do
        check(fn ->
          Process.flag(:trap_exit, true)
          fun = untyped(unquote(fun))

          for start <- [
                fn -> :erlang.spawn_link(fun) end,
                fn -> :erlang.spawn_link(node(), fun) end,
                fn -> :erlang.spawn_link(:nowhere@nohost, fun) end,
                fn -> :erlang.spawn_opt(fun, [:link]) end,
                fn -> :erlang.spawn_opt(node(), fun, [:link]) end,
                fn -> :erlang.spawn_opt(:nowhere@nohost, fun, [:link]) end
              ] do
            case refused(start) do
              pid when is_pid(pid) -> receive(do: ({:EXIT, ^pid, reason} -> without_fun(reason)))
              refusal -> refusal
            end
          end
        end)
      end
    end

    test "has the group leader of its parent, and its own dictionary" do
      check(fn ->
        main = self()
        leader = Process.group_leader()
        Process.put(:mine, 1)
        pid = spawn(fn -> report(main, {Process.group_leader() == leader, Process.get(:mine), Process.get()}) end)
        said(pid)
      end)
    end

    test "does not trap exits, has no links and a normal priority" do
      check(fn ->
        main = self()
        Process.flag(:trap_exit, true)
        Process.flag(:priority, :high)

        pid =
          spawn(fn ->
            report(main, Process.info(self(), [:trap_exit, :links, :priority, :monitors, :monitored_by]))
          end)

        said(pid)
      end)
    end

    test "runs at any time" do
      outcomes =
        check_among(fn ->
          main = self()
          spawn(fn -> send(main, :child) end)
          send(self(), :parent)
          for _ <- 1..2, do: receive(do: (who -> who))
        end)

      assert outcomes == [[:child, :parent], [:parent, :child]]
    end
  end
end
