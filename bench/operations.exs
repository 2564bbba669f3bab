# What do the other operations cost? Each beside the same on the plain VM, in ETS, timers, monitors, processes and names.
#
#     MIX_ENV=test mix run bench/operations.exs
Code.require_file("support.exs", __DIR__)
Bench.Table.script(__ENV__.file)

defmodule Bench.Operations do
  import Bench.Both

  defboth Bench.Operations do
    # What is done, what there has to be before, and what is done with that.
    def all do
      [
        {"send to another process", &other/0, fn other -> send(other, :hello) end},
        {"send to itself and receive", &nothing/0, fn _ -> send(self(), :hello) && hello() end},
        {"send to its name and receive", &name/0, fn name -> send(name, :hello) && hello() end},
        {"receive after 0, nothing there", &nothing/0, fn _ -> receive(do: (:hello -> :ok), after: (0 -> :ok)) end},
        {"ETS insert", &table/0, fn table -> :ets.insert(table, {:key, 1}) end},
        {"ETS lookup", &table/0, fn table -> :ets.lookup(table, :key) end},
        {"ETS lookup by name", &named_table/0, fn table -> :ets.lookup(table, :key) end},
        {"ETS update_counter", &table/0, fn table -> :ets.update_counter(table, :key, 1, {:key, 0}) end},
        {"ETS new and delete", &nothing/0, fn _ -> :ets.delete(:ets.new(:table, [])) end},
        {"atomics add", &atomics/0, fn atomics -> :atomics.add(atomics, 1, 1) end},
        {"persistent_term get", &persistent/0, fn key -> :persistent_term.get(key) end},
        {"timer set and cancelled", &nothing/0,
         fn _ -> :erlang.cancel_timer(:erlang.send_after(9, self(), :due)) end},
        {"timer that fires", &nothing/0, fn _ -> :erlang.send_after(0, self(), :hello) && hello() end},
        {"monotonic_time", &nothing/0, fn _ -> :erlang.monotonic_time() end},
        {"monitor and demonitor", &other/0, fn other -> Process.demonitor(Process.monitor(other), [:flush]) end},
        {"link and unlink", &other/0, fn other -> Process.link(other) && Process.unlink(other) end},
        {"spawn, exit and DOWN", &nothing/0, fn _ -> down(start(fn -> :ok end, [:monitor])) end},
        {"register and unregister", &nothing/0, fn _ -> Process.register(self(), :b) && Process.unregister(:b) end},
        {"whereis", &name/0, fn name -> :erlang.whereis(name) end},
        {"process_info of another", &other/0, fn other -> Process.info(other, :message_queue_len) end},
        {"random number", &nothing/0, fn _ -> :rand.uniform(100) end},
        {"make_ref", &nothing/0, fn _ -> make_ref() end},
        {"self", &nothing/0, fn _ -> self() end}
      ]
    end

    # So many times the operation with this number.
    def repeat(number, count) do
      fn ->
        {_name, prepare, fun} = Enum.at(all(), number)
        given = prepare.()
        Lockstep.Bench.timed(fn -> again(count, fun, given) end)
      end
    end

    defp again(0, _fun, _given), do: :ok

    defp again(count, fun, given) do
      fun.(given)
      again(count - 1, fun, given)
    end

    defp nothing, do: nil
    defp hello, do: receive(do: (:hello -> :ok))
    defp down({_pid, monitor}), do: receive(do: ({:DOWN, ^monitor, _, _, _} -> :ok))
    defp table, do: :ets.new(:table, [:public])
    defp named_table, do: :ets.new(:bench_table, [:public, :named_table])
    defp atomics, do: :atomics.new(1, [])

    defp name do
      Process.register(self(), :bench_name)
      :bench_name
    end

    defp persistent do
      :persistent_term.put(:bench_key, 1)
      :bench_key
    end

    # One that waits until the caller ends.
    defp other do
      main = self()

      start(
        fn ->
          monitor = Process.monitor(main)
          down({main, monitor})
        end,
        []
      )
    end

    # On the same scheduler, as all processes of a run are.
    defp start(fun, options), do: :erlang.spawn_opt(fun, [{:scheduler, 1} | options])
  end
end

count = Bench.size(1_000, 5)

cases =
  for {{name, _, _}, number} <- Enum.with_index(Bench.Operations.Plain.all()) do
    # The plain VM waits for its timers in real time.
    plain = Bench.Operations.Plain.repeat(number, if(name =~ "fires", do: 1, else: count))
    inside = Bench.Operations.Inside.repeat(number, count)

    [
      {"plain #{name}", count, fn -> Bench.Bare.alone(plain) end},
      {name, count, fn -> Bench.inside(inside) end}
    ]
  end

[bare | figures] = Bench.measure([Bench.Bare.hand_off() | Enum.concat(cases)], 15)
pairs = Enum.chunk_every(figures, 2)
Bench.Table.write(Enum.map(pairs, &List.last/1), bare)

Bench.Table.plain(
  ["one operation", "plain", "under control", "times plain", "times bare hand-off"],
  for [plain, inside] <- pairs do
    times = fn base -> Bench.Table.decimals(inside.best / base.best, 1) end
    plain_time = if inside.name =~ "fires", do: ["-", "-"], else: [Bench.Table.time(plain.best), times.(plain)]
    [time, slower] = plain_time
    [inside.name, time, Bench.Table.time(inside.best), slower, times.(bare)]
  end
)
