defmodule Conformance.ProcessTest do
  # Small programs, each on the plain VM and inside Lockstep: what the VM does, Lockstep must be able to do, and where
  # the VM leaves no choice, Lockstep must not either.
  use ExUnit.Case, async: false
  use Lockstep

  @moduletag :capture_log

  alias Lockstep.Support.{Oracle, Outside}

  # `tell` gets the outcome out of a run.
  defp check(program, kind \\ :same) do
    {native, inside} = Oracle.outcomes(fn -> program.() |> tap(&Outside.tell_if_inside/1) end)

    case kind do
      :same -> assert {inside, length(native)} == {native, 1}
      :among -> assert native -- inside == [], "the VM gave #{inspect(native)}, Lockstep only #{inspect(inside)}"
    end

    inside
  end

  defp down(pid, ref), do: receive(do: ({:DOWN, ^ref, :process, ^pid, reason} -> reason))

  defp strip({reason, [frame | _]}) when is_tuple(frame), do: {reason, :stack}
  defp strip(other), do: other

  describe "messages" do
    test "selective receive leaves the others in order" do
      check(fn ->
        for n <- 1..5, do: send(self(), {rem(n, 2), n})
        even = for _ <- 1..2, do: receive(do: ({0, n} -> n))
        odd = for _ <- 1..3, do: receive(do: ({1, n} -> n))
        {even, odd}
      end)
    end

    test "after 0 takes what is there, and only that" do
      check(fn ->
        send(self(), :one)
        for _ <- 1..2, do: receive(do: (message -> message), after: (0 -> :empty))
      end)
    end

    test "a nested receive" do
      check(fn ->
        for n <- [:b, :a, :c], do: send(self(), n)
        receive(do: (:a -> [:a | receive(do: (x -> [x | receive(do: (y -> [y]))]))]))
      end)
    end

    test "a timeout inside try runs the after clause" do
      check(fn ->
        try do
          receive(do: (:never -> :no), after: (5 -> throw(:late)))
        catch
          :late -> :caught
        after
          send(self(), :cleaned)
        end
        |> List.wrap()
        |> Kernel.++([receive(do: (x -> x))])
      end)
    end

    test "sends to nobody" do
      check(fn ->
        {pid, ref} = spawn_monitor(fn -> :ok end)
        down(pid, ref)
        name = try(do: send(:nobody_here, 1), rescue: (e in ArgumentError -> e.__struct__))
        {send(pid, :lost), name, send({:nobody_here, node()}, 2)}
      end)
    end

    test "two senders come in either order" do
      program = fn ->
        main = self()
        for n <- [1, 2], do: spawn(fn -> send(main, n) end)
        for _ <- [1, 2], do: receive(do: (n -> n))
      end

      assert check(program, :among) == [[1, 2], [2, 1]]
    end
  end

  describe "exit reasons" do
    for {name, code} <- [
          normal: quote(do: :ok),
          exit: quote(do: exit(:reason)),
          raise: quote(do: raise("boom")),
          throw: quote(do: throw(:ball)),
          undef: quote(do: apply(:no_such_module, :f, [])),
          badarith: quote(do: 1 / Process.get(:zero, 0)),
          badmatch: quote(do: {:ok, _} = Process.get(:nothing)),
          killed: quote(do: Process.exit(self(), :kill)),
          self_normal: quote(do: Process.exit(self(), :normal)),
          self_shutdown: quote(do: Process.exit(self(), :shutdown))
        ] do
      test "of #{name}" do
        check(fn ->
          {pid, ref} = spawn_monitor(fn -> unquote(code) end)
          strip(down(pid, ref))
        end)
      end
    end
  end

  describe "links" do
    for trap <- [true, false], reason <- [:normal, :shutdown, :kill, :other] do
      test "an exit signal #{reason} to one that #{if trap, do: "traps", else: "does not trap"}" do
        check(fn ->
          main = self()

          {pid, ref} =
            spawn_monitor(fn ->
              Process.flag(:trap_exit, unquote(trap))
              send(main, :ready)
              receive(do: ({:EXIT, ^main, reason} -> exit({:trapped, reason})), after: (20 -> exit(:survived)))
            end)

          receive(do: (:ready -> :ok))
          Process.exit(pid, unquote(reason))
          down(pid, ref)
        end)
      end

      test "a linked process that ends with #{reason}, #{if trap, do: "trapped", else: "not trapped"}" do
        check(fn ->
          {pid, ref} =
            spawn_monitor(fn ->
              Process.flag(:trap_exit, unquote(trap))
              other = spawn_link(fn -> exit(unquote(reason)) end)
              receive(do: ({:EXIT, ^other, reason} -> exit({:trapped, reason})), after: (20 -> exit(:survived)))
            end)

          down(pid, ref)
        end)
      end
    end

    test "after unlink nothing comes" do
      check(fn ->
        Process.flag(:trap_exit, true)
        pid = spawn_link(fn -> receive(do: (:go -> exit(:x))) end)
        Process.unlink(pid)
        ref = Process.monitor(pid)
        send(pid, :go)
        {down(pid, ref), receive(do: ({:EXIT, _, _} = e -> e), after: (20 -> :none))}
      end)
    end

    test "linking to the dead" do
      check(fn ->
        {pid, ref} = spawn_monitor(fn -> :ok end)
        down(pid, ref)
        plain = try(do: Process.link(pid), rescue: (e in ErlangError -> e.original))
        Process.flag(:trap_exit, true)
        {plain, Process.link(pid), receive(do: ({:EXIT, ^pid, reason} -> reason))}
      end)
    end
  end

  describe "monitors and aliases" do
    test "of the dead, of no name, of oneself" do
      check(fn ->
        {pid, ref} = spawn_monitor(fn -> :ok end)
        down(pid, ref)
        dead = Process.monitor(pid)
        name = Process.monitor(:nobody_here)
        Process.monitor(self())

        {down(pid, dead),
         receive(do: ({:DOWN, ^name, :process, object, reason} -> {object == {:nobody_here, node()}, reason})),
         receive(do: (x -> x), after: (10 -> :nothing))}
      end)
    end

    test "demonitor with flush and info" do
      check(fn ->
        {pid, ref} = spawn_monitor(fn -> :ok end)
        other = Process.monitor(pid)
        down(pid, ref)
        Process.sleep(5)
        first = :erlang.demonitor(other, [:flush, :info])
        living = Process.monitor(spawn(fn -> Process.sleep(:infinity) end))
        {first, :erlang.demonitor(living, [:info]), :erlang.demonitor(living, [:info]), :erlang.demonitor(living)}
      end)
    end

    test "a tag takes the place of DOWN" do
      check(fn ->
        pid = spawn(fn -> receive(do: (:go -> :ok)) end)
        ref = :erlang.monitor(:process, pid, tag: {:tag, 1})
        send(pid, :go)
        receive(do: ({{:tag, 1}, ^ref, :process, ^pid, reason} -> reason))
      end)
    end

    test "an alias of one reply takes exactly one" do
      check(fn ->
        main = self()
        reply = :erlang.alias([:reply])

        spawn(fn ->
          for n <- 1..3, do: send(reply, n)
          send(main, :sent)
        end)

        receive(do: (:sent -> :ok))
        {receive(do: (n when is_integer(n) -> n)), receive(do: (n -> n), after: (0 -> :none)), :erlang.unalias(reply)}
      end)
    end
  end

  describe "names" do
    test "registering" do
      check(fn ->
        true = Process.register(self(), :a_name)
        again = try(do: Process.register(self(), :another), rescue: (_ in ArgumentError -> :badarg))
        found = Process.whereis(:a_name) == self()
        Process.unregister(:a_name)
        gone = Process.whereis(:a_name)
        twice = try(do: Process.unregister(:a_name), rescue: (_ in ArgumentError -> :badarg))
        {again, found, gone, twice}
      end)
    end

    test "a name ends with its process" do
      check(fn ->
        main = self()

        {pid, ref} =
          spawn_monitor(fn ->
            Process.register(self(), :short_lived)
            send(main, :ready)
            receive(do: (:go -> :ok))
          end)

        receive(do: (:ready -> :ok))
        before = Process.whereis(:short_lived) == pid
        send(:short_lived, :go)
        down(pid, ref)
        {before, Process.whereis(:short_lived)}
      end)
    end
  end

  describe "timers" do
    test "come in the order of their times, and can be cancelled" do
      check(fn ->
        Process.send_after(self(), :late, 30)
        Process.send_after(self(), :early, 5)
        cancelled = Process.send_after(self(), :never, 15)
        left = Process.cancel_timer(cancelled)
        {is_integer(left), Process.cancel_timer(cancelled), for(_ <- 1..2, do: receive(do: (m -> m)))}
      end)
    end

    test "start_timer names its reference" do
      check(fn ->
        ref = :erlang.start_timer(1, self(), :hello)
        receive(do: ({:timeout, ^ref, :hello} -> :ok))
      end)
    end
  end

  test "a protocol of one's own, called by library code, is part of the run" do
    check(fn ->
      main = self()
      doubled = Enum.map(%Walk{to: main, last: 3}, &(&1 * 2))
      {doubled, for(_ <- doubled, do: receive(do: ({:walked, n, ^main} -> n)))}
    end)
  end

  test "the process dictionary has the program's entries only" do
    check(fn ->
      Process.put(:mine, 1)
      {pid, ref} = spawn_monitor(fn -> exit(Process.get() |> Keyword.delete(:rand_seed)) end)
      {down(pid, ref), Process.get(:mine), Process.delete(:mine), Process.get(:mine)}
    end)
  end
end
