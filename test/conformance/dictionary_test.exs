defmodule Conformance.DictionaryTest do
  # The process dictionary: the program's entries, and none of ours.
  use Lockstep.Support.Conformance

  test "is empty at the start" do
    check(fn ->
      main = self()
      spawn_link(fn -> send(main, {Process.get(), Process.get_keys(), :erlang.erase()}) end)
      receive(do: (message -> message))
    end)
  end

  test "stays empty whatever a process does" do
    check(fn ->
      main = self()

      spawn_link(fn ->
        Process.flag(:trap_exit, true)
        {pid, _ref} = spawn_monitor(fn -> :ok end)
        Process.link(pid)
        send(self(), :message)
        Process.send_after(self(), :timer, 1)
        _ = make_ref()
        _ = :erlang.alias()
        got = length(flush(4))
        send(main, {got, Process.get(), Process.info(self(), :dictionary)})
      end)

      receive(do: (message -> message))
    end)
  end

  test "put, get, delete" do
    check(fn ->
      {Process.put(:a, 1), Process.put(:a, 2), Process.get(:a), Process.get(:b), Process.get(:b, :default),
       Process.delete(:a), Process.delete(:a), :erlang.get(:a), :erlang.erase(:a)}
    end)
  end

  test "keys are any terms" do
    check(fn ->
      keys = [1, 1.0, "a", {:b, 1}, [], nil, %{}]
      for {key, n} <- Enum.with_index(keys), do: Process.put(key, n)

      {for(key <- keys, do: Process.get(key)), length(Process.get()),
       Enum.sort(Process.get_keys()) == Enum.sort(keys)}
    end)
  end

  test "keys with a value" do
    check(fn ->
      for {key, value} <- [a: 1, b: 2, c: 1, d: 1.0], do: Process.put(key, value)
      {Enum.sort(Process.get_keys(1)), Process.get_keys(1.0), Process.get_keys(:none), Enum.sort(Process.get_keys())}
    end)
  end

  test "erased as a whole, the process goes on" do
    check(fn ->
      main = self()
      for n <- 1..5, do: Process.put(n, n)
      erased = Enum.sort(:erlang.erase())
      pid = spawn_link(fn -> receive(do: (m -> send(main, {m, Process.get()}))) end)
      send(pid, :hello)
      {erased, Process.get(), receive(do: ({:hello, _} = m -> m)), node() == node(self())}
    end)
  end

  test "ends with its process, and is nobody else's" do
    check(fn ->
      Process.put(:mine, 1)
      main = self()
      spawn_link(fn -> send(main, {Process.get(:mine), Process.put(:theirs, 2)}) end)
      {receive(do: (m -> m)), Process.get(:theirs), Process.get(:mine)}
    end)
  end

  test "of another process" do
    check(fn ->
      main = self()

      pid =
        spawn_link(fn ->
          for n <- 1..3, do: Process.put({:key, n}, n)
          send(main, :ready)
          Process.sleep(:infinity)
        end)

      receive(do: (:ready -> :ok))
      {:dictionary, entries} = Process.info(pid, :dictionary)
      Enum.sort(entries)
    end)
  end

  test "of a process of proc_lib" do
    check(fn ->
      {:ok, agent} = Agent.start_link(fn -> Process.get() end)
      {:dictionary, entries} = Process.info(agent, :dictionary)
      keys = entries |> Keyword.keys() |> Enum.sort()
      seen = agent |> Agent.get(& &1) |> Keyword.keys() |> Enum.sort()
      {keys, seen, entries[:"$ancestors"] == [self()], entries[:"$initial_call"]}
    end)
  end

  test "what :rand keeps there, once it is asked" do
    check(fn ->
      before = Process.get_keys()
      _ = :rand.uniform(10)

      {before, Process.get_keys(), is_tuple(Process.get(:rand_seed)), is_tuple(Process.delete(:rand_seed)),
       Process.get()}
    end)
  end
end
