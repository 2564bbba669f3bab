defmodule Conformance.AliasesTest do
  # Aliases, with monitors and without.
  use Lockstep.Support.Conformance

  defp wrong(fun) do
    fun.()
  rescue
    error in ArgumentError ->
      [{module, function, args, _} | _] = __STACKTRACE__
      {error.message, module, function, arity(args)}
  end

  test "until it is taken back" do
    check(fn ->
      for make <- [
            fn -> :erlang.alias() end,
            fn -> :erlang.alias([]) end,
            fn -> :erlang.alias([:explicit_unalias]) end
          ] do
        ref = make.()
        for n <- 1..3, do: send(ref, n)
        taken = :erlang.unalias(ref)
        send(ref, :late)
        {flush(1), taken, :erlang.unalias(ref)}
      end
    end)
  end

  test "for one reply" do
    check(fn ->
      ref = :erlang.alias([:reply])
      for n <- 1..3, do: send(ref, n)
      {flush(1), :erlang.unalias(ref)}
    end)
  end

  test "taken back before what came through it was looked at" do
    check(fn ->
      pid = spawn_link(fn -> Process.sleep(:infinity) end)

      for make <- [
            fn -> :erlang.alias() end,
            fn -> :erlang.alias([:reply]) end,
            fn -> :erlang.monitor(:process, pid, alias: :explicit_unalias) end,
            fn -> :erlang.monitor(:process, pid, alias: :demonitor) end,
            fn -> :erlang.monitor(:process, pid, alias: :reply_demonitor) end
          ],
          take_back <- [&:erlang.unalias/1, &:erlang.demonitor(&1, [:info])] do
        ref = make.()
        send(self(), :before)
        for n <- 1..2, do: send(ref, n)
        send(self(), :after)
        taken = take_back.(ref)
        {taken, flush(), :erlang.unalias(ref), :erlang.demonitor(ref, [:info])}
      end
    end)
  end

  test "of two options the latest counts" do
    check(fn ->
      for options <- [[:reply, :explicit_unalias], [:explicit_unalias, :reply]] do
        ref = :erlang.alias(options)
        for n <- 1..2, do: send(ref, n)
        {flush(1), :erlang.unalias(ref)}
      end
    end)
  end

  test "wrong arguments" do
    check(fn ->
      [
        wrong(fn -> :erlang.alias([:x]) end),
        wrong(fn -> :erlang.alias(:x) end),
        wrong(fn -> :erlang.alias([:reply | :x]) end),
        wrong(fn -> :erlang.unalias(:x) end)
      ]
    end)
  end

  test "of another process: cannot be taken back, and carries messages to it" do
    check(fn ->
      main = self()
      other = spawn_link(fn -> send(main, :erlang.alias()) && receive(do: (m -> send(main, {:got, m}))) end)
      ref = receive(do: (ref when is_reference(ref) -> ref))
      {:erlang.unalias(ref), send(ref, :hello), is_pid(other), receive(do: ({:got, message} -> message))}
    end)
  end

  test "of the dead: what is sent is lost" do
    check(fn ->
      main = self()
      {_, down} = spawn_monitor(fn -> send(main, :erlang.alias()) end)
      ref = receive(do: (ref when is_reference(ref) -> ref))
      receive(do: ({:DOWN, ^down, _, _, _} -> :ok))
      {send(ref, :lost), send(make_ref(), :lost), flush(1)}
    end)
  end

  for mode <- [:explicit_unalias, :demonitor, :reply_demonitor] do
    test "with a monitor, #{mode}: two messages, then the end of the process" do
      check(fn ->
        fun = fn -> receive(do: (ref -> send(ref, :first) && send(ref, :second) && exit(:bye))) end
        pid = spawn(fun)
        ref = :erlang.monitor(:process, pid, alias: unquote(mode))
        send(pid, ref)
        got = for message <- flush(4), do: if(is_atom(message), do: message, else: elem(message, 4))
        send(ref, :late)
        {got, flush(1), :erlang.unalias(ref)}
      end)
    end

    test "with a monitor that is taken back, #{mode}" do
      check(fn ->
        pid = spawn_link(fn -> Process.sleep(:infinity) end)
        ref = :erlang.monitor(:process, pid, alias: unquote(mode))
        info = :erlang.demonitor(ref, [:info])
        send(ref, :after_demonitor)
        {info, flush(1), :erlang.unalias(ref), :erlang.demonitor(ref, [:info])}
      end)
    end

    test "with a monitor whose alias is taken back, #{mode}" do
      check(fn ->
        pid = spawn(fn -> receive(do: (:go -> :ok)) end)
        ref = :erlang.monitor(:process, pid, alias: unquote(mode))
        taken = :erlang.unalias(ref)
        send(ref, :lost)
        send(pid, :go)
        {taken, for({:DOWN, ^ref, _, _, reason} <- flush(3), do: reason), :erlang.demonitor(ref, [:info])}
      end)
    end

    test "with a monitor of the dead, #{mode}" do
      check(fn ->
        {pid, down} = spawn_monitor(fn -> :ok end)
        receive(do: ({:DOWN, ^down, _, _, _} -> :ok))
        ref = :erlang.monitor(:process, pid, alias: unquote(mode))
        reason = receive(do: ({:DOWN, ^ref, _, _, reason} -> reason))
        send(ref, :late)
        {reason, flush(1), :erlang.unalias(ref)}
      end)
    end
  end

  test "a call of one's own with an alias: a late reply is never seen" do
    check(fn ->
      server =
        spawn_link(fn ->
          receive do
            {:slow, ref} ->
              receive(after: (10 -> send(ref, :late)))
              receive(do: ({:quick, ref} -> send(ref, :in_time)))
          end
        end)

      ref = :erlang.monitor(:process, server, alias: :reply_demonitor)
      send(server, {:slow, ref})
      first = receive(do: (reply -> reply), after: (2 -> :timeout))
      :erlang.demonitor(ref, [:flush])
      second = :erlang.monitor(:process, server, alias: :reply_demonitor)
      send(server, {:quick, second})
      {first, receive(do: (reply -> reply)), flush(5)}
    end)
  end

  test "is a reference like any other" do
    check(fn ->
      ref = :erlang.alias()
      {is_reference(ref), node(ref) == node(), ref == ref, ref != :erlang.alias()}
    end)
  end

  test "an alias in a timer: messages go to processes only" do
    check(fn ->
      ref = :erlang.alias()
      {wrong(fn -> Process.send_after(ref, :x, 1) end), flush(2)}
    end)
  end

  test "of Process" do
    check(fn ->
      # Elixir 1.15 and later.
      if function_exported?(Process, :alias, 1) do
        ref = apply(Process, :alias, [[:reply]])
        for n <- 1..2, do: send(ref, n)
        {flush(1), apply(Process, :unalias, [ref])}
      else
        {[1], false}
      end
    end)
  end
end
