defmodule Conformance.SendsTest do
  # Sending: to whom, with which options, and what it returns.
  use Lockstep.Support.Conformance

  defp dead do
    {pid, ref} = spawn_monitor(fn -> :ok end)
    receive(do: ({:DOWN, ^ref, _, _, _} -> pid))
  end

  test "send/2 returns the message" do
    check(fn ->
      Process.register(self(), :a_receiver)

      returned = [
        send(self(), 1),
        send(:a_receiver, 2),
        send({:a_receiver, node()}, 3),
        send(dead(), 4),
        send({:nobody_here, node()}, 5),
        send({:nobody_here, :nowhere@nohost}, 6),
        send(make_ref(), 7),
        :erlang.send(self(), 8)
      ]

      {returned, flush()}
    end)
  end

  test "send/3 returns ok" do
    check(fn ->
      Process.register(self(), :a_receiver)

      returned = [
        :erlang.send(self(), 1, []),
        :erlang.send(:a_receiver, 2, [:noconnect]),
        :erlang.send({:a_receiver, node()}, 3, [:nosuspend, :noconnect]),
        :erlang.send(dead(), 4, [:nosuspend]),
        :erlang.send({:nobody_here, node()}, 5, []),
        :erlang.send(make_ref(), 6, []),
        Process.send(self(), 7, [:noconnect, :noconnect])
      ]

      {returned, flush()}
    end)
  end

  test "to a node that is not there" do
    check(fn ->
      {:erlang.send({:name, :nowhere@nohost}, 1, []), :erlang.send({:name, :nowhere@nohost}, 1, [:noconnect]),
       :erlang.send({:name, :nowhere@nohost}, 1, [:nosuspend])}
    end)
  end

  test "send_nosuspend" do
    check(fn ->
      {:erlang.send_nosuspend(self(), 1), :erlang.send_nosuspend(self(), 2, [:noconnect]),
       :erlang.send_nosuspend(dead(), 3), refused(fn -> :erlang.send_nosuspend(:nobody_here, 4) end), flush()}
    end)
  end

  test "to what is no address" do
    check(fn ->
      for address <- [:nobody_here, nil, 1, "name", {}, {:name}, {:name, 1}, {1, node()}, {:name, node(), 1}, [], %{}] do
        {refused(fn -> send(address, :message) end), refused(fn -> :erlang.send(address, :message, []) end)}
      end
    end)
  end

  test "options that are none" do
    check(fn ->
      for options <- [:noconnect, [:none], [:noconnect | :nosuspend], [{:noconnect, true}], %{}] do
        {refused(fn -> :erlang.send(self(), :message, options) end), flush()}
      end
    end)
  end

  test "both wrong: address and options" do
    check(fn -> refused(fn -> :erlang.send(:nobody_here, 1, [:none]) end) end)
  end

  test "with the operator, by a captured function, and applied" do
    check(fn ->
      main = self()
      Enum.each([1, 2], &send(main, &1))
      apply(:erlang, :send, [main, 3])
      apply(Kernel, :send, [main, 4])
      Enum.each([5], &:erlang.!(main, &1))
      for(fun <- [&Kernel.send/2, &:erlang.send/2], do: fun.(main, 6))
      flush()
    end)
  end

  test "order of one sender, by pid, name and alias" do
    check(fn ->
      main = self()
      Process.register(main, :a_receiver)
      ref = :erlang.alias()

      spawn(fn ->
        for n <- 1..3 do
          send(main, {n, :pid})
          send(:a_receiver, {n, :name})
          send({:a_receiver, node()}, {n, :full_name})
          send(main, {n, :again})
        end

        send(ref, :alias)
      end)

      receive(do: (:alias -> :ok))
      flush()
    end)
  end

  test "order through an alias" do
    check(fn ->
      ref = :erlang.alias()
      spawn(fn -> for n <- 1..5, do: send(ref, n) end)
      for _ <- 1..5, do: receive(do: (n -> n))
    end)
  end

  test "a message is a copy: what is sent is what was there" do
    check(fn ->
      Process.put(:entry, 1)
      send(self(), {Process.get(:entry), fn -> Process.get(:entry) end})
      Process.put(:entry, 2)
      receive(do: ({value, fun} -> {value, fun.()}))
    end)
  end

  test "big and odd terms" do
    check(fn ->
      terms = [
        List.duplicate(:a, 10_000),
        :binary.copy(<<1, 2, 3>>, 50_000),
        <<5::3>>,
        %{1 => 2, 1.0 => 3},
        -0.0,
        1.0e300,
        Bitwise.bsl(1, 200),
        [1 | 2],
        {},
        &is_atom/1
      ]

      for term <- terms, do: send(self(), term)
      for term <- terms, do: receive(do: (received -> received === term))
    end)
  end

  test "messages that look like the VM's own" do
    check(fn ->
      Process.flag(:trap_exit, true)
      ref = Process.monitor(spawn(fn -> Process.sleep(:infinity) end))
      send(self(), {:EXIT, self(), :not_really})
      send(self(), {:DOWN, ref, :process, self(), :not_really})
      send(self(), {:timeout, ref, :not_really})
      send(self(), {:nodedown, :nowhere@nohost})
      received = for message <- flush(), do: elem(message, 0)
      {received, Process.demonitor(ref, [:info])}
    end)
  end

  test "a flush takes what only looks like the monitor's message" do
    check(fn ->
      ref = Process.monitor(spawn(fn -> Process.sleep(:infinity) end))
      for n <- 1..3, do: send(self(), {:DOWN, ref, :process, self(), n})
      Process.demonitor(ref, [:flush])
      left = for {:DOWN, _, _, _, n} <- flush(), do: n

      ref = Process.monitor(dead())
      for n <- 1..3, do: send(self(), {:DOWN, ref, :process, self(), n})
      receive(do: ({:DOWN, ^ref, _, _, :noproc} -> :ok))
      Process.demonitor(ref, [:flush])
      {left, for({:DOWN, _, _, _, n} <- flush(), do: n)}
    end)
  end

  test "to a process that does not receive" do
    check(fn ->
      {pid, ref} = spawn_monitor(fn -> receive(do: (:end -> exit(Process.info(self(), :messages)))) end)
      for n <- 1..4, do: send(pid, n)
      send(pid, :end)
      send(pid, :too_late)
      receive(do: ({:DOWN, ^ref, _, _, {:messages, messages}} -> messages -- [:too_late]))
    end)
  end

  test "what is done to a pid that nobody has" do
    check(fn ->
      nobody = :erlang.list_to_pid(~c"<0.32767.7000>")
      ref = Process.monitor(nobody)

      {Process.alive?(nobody), Process.info(nobody), send(nobody, :lost) && Process.send(nobody, :lost, []),
       Process.exit(nobody, :kill), Process.unlink(nobody), caught(fn -> Process.link(nobody) end),
       caught(fn -> GenServer.call(nobody, :question) end), GenServer.cast(nobody, :lost),
       receive(do: ({:DOWN, ^ref, :process, ^nobody, reason} -> reason)), Process.demonitor(ref),
       caught(fn -> Process.register(nobody, :nobody) end), caught(fn -> Agent.stop(nobody) end),
       is_reference(Process.send_after(nobody, :lost, 1)), :timer.send_after(1, nobody, :lost) |> elem(0), flush(5)}
    end)
  end

  test "a link to a pid that nobody has, of who traps exits" do
    check(fn ->
      Process.flag(:trap_exit, true)
      nobody = :erlang.list_to_pid(~c"<0.32767.7000>")
      {Process.link(nobody), receive(do: ({:EXIT, ^nobody, reason} -> reason)), Process.info(self(), :links)}
    end)
  end
end
