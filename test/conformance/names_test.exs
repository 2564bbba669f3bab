defmodule Conformance.NamesTest do
  # Registered names.
  use Lockstep.Support.Conformance

  defp wrong(fun) do
    fun.()
  rescue
    error in ArgumentError ->
      [{module, function, args, _} | _] = __STACKTRACE__
      {module, function, arity(args), plain(error)}
  end

  defp dead do
    {pid, ref} = spawn_monitor(fn -> :ok end)
    receive(do: ({:DOWN, ^ref, _, _, _} -> pid))
  end

  test "one process, one name; one name, one process" do
    check(fn ->
      other = spawn_link(fn -> Process.sleep(:infinity) end)
      :erlang.register(:first_name, self())

      {wrong(fn -> :erlang.register(:second_name, self()) end), wrong(fn -> :erlang.register(:first_name, other) end),
       wrong(fn -> :erlang.register(:first_name, self()) end), :erlang.register(:second_name, other),
       :erlang.unregister(:second_name), :erlang.whereis(:second_name), :erlang.whereis(:first_name) == self()}
    end)
  end

  test "what is no name, and who can have none" do
    check(fn ->
      pid = dead()

      [
        wrong(fn -> :erlang.register(:undefined, self()) end),
        wrong(fn -> :erlang.register("name", self()) end),
        wrong(fn -> :erlang.register(:a_fine_name, :no_pid) end),
        wrong(fn -> :erlang.register(:a_fine_name, pid) end),
        wrong(fn -> :erlang.unregister(1) end),
        wrong(fn -> :erlang.unregister(:nobody_has_it) end),
        wrong(fn -> :erlang.whereis(1) end),
        :erlang.whereis(:undefined)
      ]
    end)
  end

  test "true, false and nil are names to the VM, and none to Elixir" do
    check(fn ->
      for name <- [nil, true, false] do
        taken = :erlang.register(name, self())
        found = :erlang.whereis(name) == self()
        {taken, found, :erlang.unregister(name), caught(fn -> Process.register(self(), name) end) |> plain()}
      end
    end)
  end

  test "what Elixir says of a name that is taken" do
    check(fn ->
      Process.register(self(), :taken_name)

      for fun <- [fn -> Process.register(self(), :taken_name) end, fn -> Process.unregister(:not_taken_name) end] do
        try do
          fun.()
        rescue
          error in ArgumentError ->
            error.message |> String.split(" ") |> Enum.reject(&String.starts_with?(&1, "#PID"))
        end
      end
    end)
  end

  test "is free again when its process has ended" do
    check(fn ->
      main = self()

      for reason <- [:normal, :kill, :boom] do
        {pid, ref} =
          spawn_monitor(fn ->
            Process.register(self(), :reused) && send(main, :ready) && receive(do: (r -> exit(r)))
          end)

        receive(do: (:ready -> send(pid, reason)))

        receive do
          {:DOWN, ^ref, _, _, _} ->
            {Process.whereis(:reused), Process.register(self(), :reused), Process.unregister(:reused)}
        end
      end
    end)
  end

  test "registered/0 has it as long as it is there" do
    check(fn ->
      before = :listed_name in Process.registered()
      Process.register(self(), :listed_name)
      during = :listed_name in Process.registered()
      Process.unregister(:listed_name)
      {before, during, :listed_name in Process.registered()}
    end)
  end

  test "names in any script" do
    check(fn ->
      for name <- [:日本, :ünïcödé, :"with space", :"", :Ж] do
        Process.register(self(), name)
        send(name, {:to, name})
        found = Process.whereis(name) == self()
        {:registered_name, known} = Process.info(self(), :registered_name)
        Process.unregister(name)
        {found, known, flush()}
      end
    end)
  end

  test "a message to a name goes to who has it then" do
    check(fn ->
      main = self()
      [one, two] = for n <- 1..2, do: spawn_link(fn -> receive(do: (m -> send(main, {n, m}))) end)
      Process.register(one, :the_name)
      send(:the_name, :a)
      first = receive(do: (m -> m))
      Process.sleep(2)
      free = Process.whereis(:the_name)
      Process.register(two, :the_name)
      send({:the_name, node()}, :b)
      {first, free, receive(do: (m -> m))}
    end)
  end

  test "who is asked by a name that it has given away" do
    check(fn ->
      pid = spawn_link(fn -> Process.sleep(:infinity) end)
      Process.register(pid, :given_away)
      Process.unregister(:given_away)
      Process.register(self(), :given_away)

      {Process.info(pid, :registered_name), Process.info(self(), :registered_name),
       Process.whereis(:given_away) == self()}
    end)
  end

  test "two want one name: one gets it" do
    check_among(fn ->
      main = self()

      for n <- 1..2 do
        spawn_link(fn ->
          send(main, {n, caught(fn -> Process.register(self(), :wanted) end)})
          Process.sleep(:infinity)
        end)
      end

      Enum.sort(for _ <- 1..2, do: receive(do: ({_, _} = outcome -> outcome)))
    end)
  end
end
