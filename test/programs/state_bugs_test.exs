defmodule StateBugsTest do
  # Programs with a race on shared state, each with its corrected twin.
  #
  # The numbers above a test say how many seeds it took to find the bug: the median and the worst of 100 sweeps, the n-th
  # of which began at seed 1,000 * n. The test allows for several times the worst. The twins run under 2,000 seeds.
  #
  # `STATE_BUGS=measure mix test test/programs/state_bugs_test.exs` prints the numbers anew.
  use ExUnit.Case, async: false
  use Lockstep

  alias Lockstep.Runner

  @moduletag :capture_log
  @moduletag timeout: 600_000

  defp found(program, within) do
    if System.get_env("STATE_BUGS") == "measure", do: measure(program)
    assert {:failed, failure} = Runner.explore(program, seeds: 1..within, shrink: false)
    assert {:crash, :error, %ExUnit.AssertionError{}, _} = failure.error
  end

  defp measure(program) do
    needed =
      for sweep <- 1..100 do
        first = 1000 * sweep
        {:failed, failure} = Runner.explore(program, seeds: first..(first + 999), shrink: false)
        failure.seed - first + 1
      end

    sorted = Enum.sort(needed)
    IO.puts("median #{Enum.at(sorted, 50)}, worst #{List.last(sorted)}")
  end

  defp clean(program), do: Runner.run(program, seeds: 1..2000)

  defp together(funs), do: funs |> Enum.map(&Task.async/1) |> Task.await_many(:infinity)

  describe "a hit counter" do
    defp hits(hit) do
      table = :ets.new(:hits, [:public])
      :ets.insert(table, {:page, 0})
      together(for _ <- 1..3, do: fn -> hit.(table) end)
      assert :ets.lookup(table, :page) == [page: 3]
    end

    # median 5, worst 26
    test "loses hits when it looks up and inserts" do
      found(
        fn ->
          hits(fn table ->
            [{:page, n}] = :ets.lookup(table, :page)
            :ets.insert(table, {:page, n + 1})
          end)
        end,
        150
      )
    end

    test "does not with update_counter" do
      clean(fn -> hits(fn table -> :ets.update_counter(table, :page, 1) end) end)
    end
  end

  describe "the first to come" do
    defp first(claim) do
      table = :ets.new(:claims, [:public])
      won = together(for n <- 1..3, do: fn -> claim.(table, n) end)
      assert Enum.count(won, & &1) == 1
    end

    # median 10, worst 70
    test "is several with member and insert" do
      found(
        fn -> first(fn table, n -> not :ets.member(table, :lock) and :ets.insert(table, {:lock, n}) end) end,
        400
      )
    end

    test "is one with insert_new" do
      clean(fn -> first(fn table, n -> :ets.insert_new(table, {:lock, n}) end) end)
    end
  end

  describe "a pool of jobs" do
    defp jobs(next) do
      table = :ets.new(:jobs, [:public])
      :ets.insert(table, for(n <- 1..2, do: {n, :job}))
      done = together(for _ <- 1..2, do: fn -> for n <- 1..2, do: next.(table, n) end)
      assert done |> List.flatten() |> Enum.sort() == [1, 2]
    end

    # median 4, worst 26
    test "gives jobs out twice with lookup and delete" do
      found(
        fn ->
          jobs(fn table, n ->
            case :ets.lookup(table, n) do
              [{n, :job}] ->
                :ets.delete(table, n)
                [n]

              [] ->
                []
            end
          end)
        end,
        150
      )
    end

    test "does not with take" do
      clean(fn -> jobs(fn table, n -> for {n, :job} <- :ets.take(table, n), do: n end) end)
    end
  end

  describe "a price list" do
    # One raises all prices, one marks an article down.
    defp prices(raise_all) do
      table = :ets.new(:prices, [:public])
      :ets.insert(table, [{:tea, 10}, {:coffee, 20}])
      together([fn -> raise_all.(table) end, fn -> :ets.update_counter(table, :tea, -5) end])
      assert :ets.lookup(table, :coffee) == [coffee: 40]
      assert :ets.lookup(table, :tea) in [[tea: 10], [tea: 15]]
    end

    # median 6, worst 55
    test "forgets the mark-down with select and insert" do
      found(
        fn ->
          prices(fn table ->
            for {article, price} <- :ets.select(table, [{:_, [], [:"$_"]}]),
                do: :ets.insert(table, {article, price * 2})
          end)
        end,
        300
      )
    end

    test "does not with select_replace" do
      double = [{{:"$1", :"$2"}, [], [{{:"$1", {:*, :"$2", 2}}}]}]
      clean(fn -> prices(fn table -> :ets.select_replace(table, double) end) end)
    end
  end

  describe "a stack of orders" do
    # Whoever sees the last one closes the shop, once.
    defp orders(serve) do
      table = :ets.new(:orders, [:public, :ordered_set])
      :ets.insert(table, for(n <- 1..3, do: {n}))
      served = together(for _ <- 1..2, do: fn -> serve_all(table, serve) end)
      assert served |> List.flatten() |> Enum.sort() == [1, 2, 3]
    end

    defp serve_all(table, serve) do
      case :ets.first(table) do
        :"$end_of_table" -> []
        key -> serve.(table, key) ++ serve_all(table, serve)
      end
    end

    # median 2, worst 12
    test "serves an order twice with first and delete" do
      found(
        fn ->
          orders(fn table, key ->
            :ets.delete(table, key)
            [key]
          end)
        end,
        100
      )
    end

    test "does not when what it deletes counts" do
      clean(fn -> orders(fn table, key -> for {key} <- :ets.take(table, key), do: key end) end)
    end

    test "does not when it deletes by a pattern" do
      clean(fn ->
        orders(fn table, key -> List.duplicate(key, :ets.select_delete(table, [{{key}, [], [true]}])) end)
      end)
    end
  end

  describe "counters" do
    defp counted(add) do
      counter = :counters.new(2, [:write_concurrency])
      together(for n <- 1..3, do: fn -> add.(counter, n) end)
      assert :counters.get(counter, 2) == 6
    end

    # median 5, worst 26
    test "lose with get and put" do
      found(
        fn -> counted(fn counter, n -> :counters.put(counter, 2, :counters.get(counter, 2) + n) end) end,
        150
      )
    end

    test "do not with add" do
      clean(fn -> counted(fn counter, n -> :counters.add(counter, 2, n) end) end)
    end
  end

  describe "a bounded account of atomics" do
    # 10 units, and three who want 4 each.
    defp booked(take) do
      atomics = :atomics.new(1, signed: true)
      :atomics.put(atomics, 1, 10)
      given = together(for _ <- 1..3, do: fn -> take.(atomics) end)
      assert {Enum.count(given, &(&1 == :ok)), :atomics.get(atomics, 1)} == {2, 2}
    end

    defp compare_and_take(atomics) do
      left = :atomics.get(atomics, 1)

      cond do
        left < 4 -> :none
        :atomics.compare_exchange(atomics, 1, left, left - 4) == :ok -> :ok
        true -> compare_and_take(atomics)
      end
    end

    # median 7, worst 54
    test "is overdrawn with get and sub" do
      found(
        fn ->
          booked(fn atomics -> if :atomics.get(atomics, 1) >= 4, do: :atomics.sub(atomics, 1, 4), else: :none end)
        end,
        300
      )
    end

    # median 5, worst 26
    test "loses a booking with get and exchange" do
      found(
        fn ->
          booked(fn atomics ->
            left = :atomics.get(atomics, 1)
            if left >= 4 and :atomics.exchange(atomics, 1, left - 4), do: :ok, else: :none
          end)
        end,
        150
      )
    end

    test "is not with compare_exchange" do
      clean(fn -> booked(&compare_and_take/1) end)
    end
  end

  describe "a version in a persistent term" do
    defp versions(bump) do
      :persistent_term.put(:version, 1)
      bumped = together(for _ <- 1..2, do: bump)
      assert :persistent_term.get(:version) == 3
      assert Enum.sort(bumped) == [2, 3]
    end

    # median 11, worst 116
    test "is bumped once only by two who read and write it" do
      found(
        fn ->
          versions(fn ->
            next = :persistent_term.get(:version) + 1
            :persistent_term.put(:version, next)
            next
          end)
        end,
        600
      )
    end

    test "is bumped twice if one process does it" do
      clean(fn ->
        {:ok, writer} = Agent.start_link(fn -> nil end)

        versions(fn ->
          Agent.get(writer, fn _ ->
            next = :persistent_term.get(:version) + 1
            :persistent_term.put(:version, next)
            next
          end)
        end)
      end)
    end
  end

  describe "a registry" do
    # A worker ends after each answer; who finds no worker starts one, and who loses the race takes the winner's.
    defmodule Worker do
      @moduledoc false
      use GenServer, restart: :temporary

      def start(name), do: GenServer.start(__MODULE__, nil, name: name)
      def init(nil), do: {:ok, nil}
      def handle_call(:work, _from, state), do: {:stop, :normal, :done, state}
    end

    defp worked(call) do
      {:ok, _} = Registry.start_link(keys: :unique, name: Workers)
      name = {:via, Registry, {Workers, :only}}
      results = together(for _ <- 1..2, do: fn -> call.(name) end)
      assert results == [:done, :done]
    end

    defp pid(name) do
      case Registry.lookup(Workers, :only) do
        [{pid, _}] -> pid
        [] -> started(Worker.start(name))
      end
    end

    defp started({:ok, pid}), do: pid
    defp started({:error, {:already_started, pid}}), do: pid

    defp try_call(pid) do
      GenServer.call(pid, :work, :infinity)
    catch
      :exit, {reason, _} -> {:lost, reason}
    end

    defp insist(name) do
      with {:lost, reason} when reason in [:noproc, :normal] <- try_call(pid(name)), do: insist(name)
    end

    # median 1, worst 7
    test "still knows a process that has just died" do
      found(fn -> worked(fn name -> try_call(pid(name)) end) end, 50)
    end

    test "may be asked again" do
      clean(fn -> worked(&insist/1) end)
    end
  end

  describe "a table that is handed on" do
    # The keeper inherits the table of a worker that dies, and gives it to the next.
    defp kept(serve) do
      main = self()

      keeper =
        spawn_link(fn ->
          table = :ets.new(:state, [:named_table, {:heir, self(), :again}])
          :ets.insert(table, {:n, 0})
          keep(table, main)
        end)

      send(keeper, :start)
      first = receive(do: ({:worker, pid} -> pid))
      Process.exit(first, :kill)
      second = receive(do: ({:worker, pid} -> pid))
      assert serve.(second) == 1
    end

    defp keep(table, main) do
      receive do
        :start -> :ok
        {:"ETS-TRANSFER", ^table, _from, :again} -> :ok
      end

      worker = spawn(fn -> work(nil) end)
      send(main, {:worker, worker})
      :ets.give_away(table, worker, :yours)
      keep(table, main)
    rescue
      # The worker did not live to see it.
      ArgumentError ->
        send(self(), :start)
        keep(table, main)
    end

    defp work(table) do
      receive do
        {:"ETS-TRANSFER", table, _from, :yours} -> work(table)
        {:add, from} -> send(from, {:added, add(table)})
        {:patient_add, from} -> send(from, {:added, add(table || receive(do: ({_, table, _, :yours} -> table)))})
      end
    end

    defp add(nil), do: :no_table
    defp add(table), do: :ets.update_counter(table, :n, 1)

    defp ask(pid, request) do
      send(pid, {request, self()})
      receive(do: ({:added, n} -> n))
    end

    # median 2, worst 6
    test "is not there yet when the worker is asked at once" do
      found(fn -> kept(&ask(&1, :add)) end, 50)
    end

    test "is when the worker waits for it" do
      clean(fn -> kept(&ask(&1, :patient_add)) end)
    end
  end
end
