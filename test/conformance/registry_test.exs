defmodule Conformance.RegistryTest do
  # Elixir's Registry.
  use Lockstep.Support.Conformance

  defp unique(options \\ []), do: start(:unique, options)
  defp duplicate(options \\ []), do: start(:duplicate, options)

  defp start(keys, options) do
    {:ok, _} = Registry.start_link([keys: keys, name: Reg] ++ options)
    :ok
  end

  # A process that registers, and lives until it is told to end.
  defp registered(keys, value \\ nil) do
    main = self()

    pid =
      spawn_link(fn ->
        for key <- keys, do: {:ok, _} = Registry.register(Reg, key, value)
        send(main, :registered)
        receive(do: (:end -> :ok))
      end)

    receive(do: (:registered -> pid))
  end

  defp end_of(pid) do
    send(pid, :end)
    ending(pid)
  end

  defp shape({:ok, pid}) when is_pid(pid), do: :ok
  defp shape({:error, {:already_registered, pid}}) when is_pid(pid), do: {:error, :already_registered}
  defp shape(other), do: other

  defp who(entries, names), do: for({pid, value} <- entries, do: {names[pid], value})

  describe "unique keys" do
    test "register, lookup and unregister" do
      check(fn ->
        unique()
        first = shape(Registry.register(Reg, :key, 1))
        again = shape(Registry.register(Reg, :key, 2))
        found = who(Registry.lookup(Reg, :key), %{self() => :main})

        {first, again, found, Registry.lookup(Reg, :none), Registry.unregister(Reg, :key), Registry.lookup(Reg, :key),
         Registry.unregister(Reg, :key)}
      end)
    end

    test "another's key cannot be taken or given up" do
      check(fn ->
        unique()
        pid = registered([:key], 1)
        taken = Registry.register(Reg, :key, 2) == {:error, {:already_registered, pid}}
        {taken, Registry.unregister(Reg, :key), who(Registry.lookup(Reg, :key), %{pid => :other})}
      end)
    end

    test "a name in a via tuple" do
      check(fn ->
        unique()
        via = {:via, Registry, {Reg, "server", :value}}
        {:ok, agent} = Agent.start_link(fn -> 1 end, name: via)
        {:error, {:already_started, ^agent}} = Agent.start_link(fn -> 2 end, name: via)
        nobody = {:via, Registry, {Reg, "nobody"}}

        {Agent.get({:via, Registry, {Reg, "server"}}, & &1), Registry.lookup(Reg, "server") == [{agent, :value}],
         GenServer.whereis(via) == agent, GenServer.whereis(nobody), caught(fn -> Agent.get(nobody, & &1) end),
         Agent.cast(nobody, & &1), Agent.stop(via)}
      end)
    end

    test "send, and the via functions themselves" do
      check(fn ->
        unique()
        yes = Registry.register_name({Reg, :me}, self())
        no = Registry.register_name({Reg, :me}, self())
        sent = Registry.send({Reg, :me}, :hello)
        lost = caught(fn -> Registry.send({Reg, :nobody}, :hello) end)

        {yes, no, sent, lost, flush(), Registry.whereis_name({Reg, :me}) == self(), Registry.whereis_name({Reg, :x}),
         Registry.unregister_name({Reg, :me}),
         caught(fn -> Registry.register_name({Reg, :me}, spawn(fn -> :ok end)) end)}
      end)
    end

    test "update_value of one's own key only" do
      check(fn ->
        unique()
        Registry.register(Reg, :mine, 1)
        registered([:other], 1)

        {Registry.update_value(Reg, :mine, &(&1 + 1)), Registry.update_value(Reg, :other, &(&1 + 1)),
         Registry.update_value(Reg, :none, & &1), Registry.values(Reg, :mine, self())}
      end)
    end

    for partitions <- [1, 3] do
      test "keys go with their process, #{partitions} partitions" do
        check(fn ->
          unique(partitions: unquote(partitions))
          pid = registered([:a, :b, "c"])
          before = {Enum.sort(Registry.keys(Reg, pid)), Registry.count(Reg)}
          end_of(pid)
          wait_until(fn -> Registry.count(Reg) == 0 end)
          {before, Registry.keys(Reg, pid), shape(Registry.register(Reg, :a, 1)), Registry.lookup(Reg, :b)}
        end)
      end
    end

    test "one that has just died may still be found; its key is free" do
      program = fn ->
        unique()
        pid = registered([:key])
        end_of(pid)
        # The entry goes when the registry has heard of the death.
        found = length(Registry.lookup(Reg, :key))
        {found, Registry.whereis_name({Reg, :key}), shape(Registry.register(Reg, :key, 1))}
      end

      assert {0, :undefined, :ok} in check_among(program)
    end

    test "a count may still have one that has just died" do
      program = fn ->
        unique()
        pid = registered([:key])
        end_of(pid)
        Registry.count(Reg)
      end

      assert 0 in check_among(program)
    end
  end

  describe "duplicate keys" do
    test "several entries of a key, also of one process" do
      check(fn ->
        duplicate()
        names = %{self() => :main, registered([:key], :b) => :other}
        for value <- [1, 2], do: {:ok, _} = Registry.register(Reg, :key, value)

        {Enum.sort(who(Registry.lookup(Reg, :key), names)), Registry.keys(Reg, self()), Registry.count(Reg),
         Enum.sort(Registry.values(Reg, :key, self())), Registry.unregister(Reg, :key),
         who(Registry.lookup(Reg, :key), names)}
      end)
    end

    test "match, count_match and unregister_match" do
      check(fn ->
        duplicate()
        for value <- [{:x, 1}, {:x, 2}, {:y, 3}], do: {:ok, _} = Registry.register(Reg, :key, value)
        main = %{self() => :main}

        {Registry.match(Reg, :key, {:x, :_}) |> who(main) |> Enum.sort(),
         Registry.match(Reg, :key, {:_, :"$1"}, [{:>, :"$1", 1}]) |> who(main) |> Enum.sort(),
         Registry.count_match(Reg, :key, {:y, :_}), Registry.unregister_match(Reg, :key, {:x, :_}),
         who(Registry.lookup(Reg, :key), main), Registry.unregister_match(Reg, :key, {:y, :"$1"}, [{:>, :"$1", 5}]),
         Registry.count(Reg)}
      end)
    end

    test "update_value and via are for unique keys" do
      check(fn ->
        duplicate()
        Registry.register(Reg, :key, 1)

        {caught(fn -> Registry.update_value(Reg, :key, & &1) end),
         caught(fn -> Registry.register_name({Reg, :name}, self()) end),
         caught(fn -> Registry.whereis_name({Reg, :name}) end)}
      end)
    end

    for {partitions, parallel} <- [{1, false}, {3, false}, {3, true}] do
      test "dispatch, #{partitions} partitions, parallel: #{parallel}" do
        check(fn ->
          duplicate(partitions: unquote(partitions))
          pids = for n <- 1..4, do: registered([:topic], n)
          main = self()
          send_all = fn entries -> for {pid, n} <- entries, do: send(main, {pid in pids, n}) end
          done = Registry.dispatch(Reg, :topic, send_all, parallel: unquote(parallel))
          {done, Enum.sort(flush()), Registry.dispatch(Reg, :none, fn _ -> send(main, :called) end), flush()}
        end)
      end
    end

    test "a dispatch with a function that fails, by module too" do
      check(fn ->
        duplicate()
        Registry.register(Reg, :topic, 1)

        {caught(fn -> Registry.dispatch(Reg, :topic, fn _ -> exit(:no) end) end),
         Registry.dispatch(Reg, :topic, {__MODULE__, :dispatched, [self()]}), flush()}
      end)
    end
  end

  def dispatched(entries, to), do: for({_pid, value} <- entries, do: send(to, {:dispatched, value}))

  describe "select" do
    test "of a registry with unique keys" do
      check(fn ->
        unique()
        for {key, value} <- [a: 1, b: 2, c: 3], do: Registry.register(Reg, key, value)
        main = self()

        {Reg |> Registry.select([{{:"$1", :_, :"$2"}, [{:>, :"$2", 1}], [{{:"$1", :"$2"}}]}]) |> Enum.sort(),
         Registry.select(Reg, [{{:a, :"$1", :_}, [], [:"$1"]}]) == [main],
         Registry.count_select(Reg, [{{:_, :_, :"$1"}, [{:<, :"$1", 3}], [true]}]),
         caught(fn -> Registry.select(Reg, [{:bad, [], [:"$_"]}]) end)}
      end)
    end

    test "of one with duplicate keys and partitions" do
      check(fn ->
        duplicate(partitions: 2)
        for {key, value} <- [a: 1, a: 2, b: 3], do: Registry.register(Reg, key, value)
        all = Registry.select(Reg, [{{:"$1", :_, :"$2"}, [], [{{:"$1", :"$2"}}]}])
        {Enum.sort(all), Registry.count_select(Reg, [{{:a, :_, :_}, [], [true]}])}
      end)
    end
  end

  test "metadata" do
    check(fn ->
      unique(meta: [first: 1])

      {Registry.meta(Reg, :first), Registry.meta(Reg, :second), Registry.put_meta(Reg, :second, 2),
       Registry.meta(Reg, :second), Registry.put_meta(Reg, {:a, 1}, 3), Registry.meta(Reg, {:a, 1}),
       Registry.delete_meta(Reg, :first), Registry.meta(Reg, :first)}
    end)
  end

  test "listeners hear of registrations" do
    check(fn ->
      Process.register(self(), :the_listener)
      unique(listeners: [:the_listener])
      pid = registered([:a], 1)
      Registry.register(Reg, :b, 2)
      Registry.unregister(Reg, :b)
      end_of(pid)
      wait_until(fn -> Registry.count(Reg) == 0 end)
      names = %{self() => :main, pid => :other}

      for message <- flush(2) do
        case message do
          {:register, Reg, key, pid, value} -> {:register, key, names[pid], value}
          {:unregister, Reg, key, pid} -> {:unregister, key, names[pid]}
        end
      end
    end)
  end

  test "two at the same unique key: one gets it" do
    check(fn ->
      unique()

      tasks =
        for n <- 1..3,
            do: Task.async(fn -> shape(Registry.register(Reg, :key, n)) |> tap(fn _ -> wait_for_all(3) end) end)

      tasks |> Task.await_many() |> Enum.frequencies()
    end)
  end

  # The winner must not end, and so give the key free, before the others have tried.
  defp wait_for_all(_count), do: Process.sleep(5)

  test "a registry that is not there" do
    check(fn ->
      calls = [
        fn -> Registry.register(NoReg, :key, 1) end,
        fn -> Registry.lookup(NoReg, :key) end,
        fn -> Registry.keys(NoReg, self()) end,
        fn -> Registry.count(NoReg) end,
        fn -> Registry.meta(NoReg, :key) end,
        fn -> GenServer.call({:via, Registry, {NoReg, :key}}, :hello) end
      ]

      for call <- calls, do: caught(call)
    end)
  end

  test "starting one twice, and bad options" do
    check(fn ->
      unique()
      twice = match?({:error, {:already_started, _}}, Registry.start_link(keys: :unique, name: Reg))

      bad =
        for options <- [
              [name: Reg],
              [keys: :both, name: Reg],
              [keys: :unique],
              [keys: :unique, name: Other, partitions: 0]
            ],
            do: caught(fn -> Registry.start_link(options) end)

      {twice, bad}
    end)
  end

  test "when the registry ends, so do those linked to it" do
    check(fn ->
      Process.flag(:trap_exit, true)
      {:ok, sup} = Registry.start_link(keys: :unique, name: Reg)

      {pid, ref} =
        spawn_monitor(fn ->
          Registry.register(Reg, :key, 1)
          receive(do: (:never -> :ok))
        end)

      wait_until(fn -> Registry.count(Reg) == 1 end)
      Supervisor.stop(sup)
      {receive(do: ({:DOWN, ^ref, _, ^pid, reason} -> reason)), caught(fn -> Registry.lookup(Reg, :key) end)}
    end)
  end

  # The first restarts can fail, because the partition of the old one still has its name.
  test "a registry under a supervisor comes back empty" do
    check(fn ->
      {:ok, sup} =
        Supervisor.start_link([{Registry, keys: :unique, name: Reg}], strategy: :one_for_one, max_restarts: 100_000)

      {pid, ref} =
        spawn_monitor(fn ->
          Registry.register(Reg, :key, 1)
          receive(do: (:never -> :ok))
        end)

      wait_until(fn -> Registry.count(Reg) == 1 end)
      [{_, registry, _, _}] = Supervisor.which_children(sup)
      Process.exit(registry, :kill)
      reason = receive(do: ({:DOWN, ^ref, _, ^pid, reason} -> reason))

      wait_until(fn ->
        match?([{_, pid, _, _}] when is_pid(pid) and pid != registry, Supervisor.which_children(sup))
      end)

      {reason, Registry.count(Reg), shape(Registry.register(Reg, :key, 1))}
    end)
  end
end
