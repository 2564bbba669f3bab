defmodule Lockstep.Runtime.SharedStateTest do
  use ExUnit.Case, async: true
  use Lockstep

  alias Lockstep.{Cluster, EscapeError, Runner}

  @wait 60_000

  defp run(fun), do: Runner.run(fun, seeds: 5, escapes: :raise)

  test "persistent terms are those of a node, and end with it" do
    run(fn ->
      Cluster.start_nodes([:a, :b])
      :persistent_term.put(:key, node())
      assert Cluster.run(:a, fn -> :persistent_term.get(:key, :none) end) == :none
      Cluster.run(:a, fn -> :persistent_term.put(:key, node()) end)
      assert Cluster.run(:b, fn -> :persistent_term.get() end) == []
      assert Cluster.run(:a, fn -> :persistent_term.get() end) == [key: :a]
      Cluster.stop_node(:a)
      Cluster.start_node(:a)
      assert Cluster.run(:a, fn -> :persistent_term.get() end) == []
      assert :persistent_term.get(:key) == node()
    end)
  end

  test "persistent terms of the host are none of a run's" do
    :persistent_term.put(:of_the_host, 1)
    run(fn -> assert :persistent_term.get(:of_the_host, :none) == :none end)
    assert :persistent_term.get(:of_the_host) == 1
    :persistent_term.erase(:of_the_host)
  end

  test "atomics mean something on their own node only" do
    run(fn ->
      Cluster.start_nodes([:a])
      ref = :atomics.new(1, [])
      assert catch_error(Cluster.run(:a, fn -> :atomics.get(ref, 1) end)) == :badarg
      assert :atomics.add_get(ref, 1, 2) == 2
    end)
  end

  test "atomics of the host are an escape" do
    ref = :atomics.new(1, [])
    {:failed, failure} = Runner.explore(fn -> :atomics.add(ref, 1, 1) end, seeds: 1, escapes: :raise)
    assert %EscapeError{module: :atomics, function: :add, arity: 3} = failure.error
  end

  test "references look the same in every VM" do
    run(fn ->
      spec = :ets.match_spec_compile([{:_, [], [1]}])
      refs = [:atomics.new(1, []), elem(:counters.new(1, []), 1), :ets.new(:table, []), spec]
      assert Enum.all?(refs, &(inspect(&1) =~ ".2080374784."))
      assert Enum.uniq(refs) == refs
    end)
  end

  test "when a node is stopped, its tables go, also those with heirs" do
    run(fn ->
      test = self()
      Cluster.start_nodes([:a])

      for name <- [:one, :two] do
        Cluster.spawn(:a, fn ->
          Process.register(self(), name)
          other = Enum.find_value(Stream.repeatedly(fn -> Process.whereis(other(name)) end), & &1)
          :ets.new(name, [:named_table, :public, {:heir, other, name}])
          send(test, {:ready, name})
          Process.sleep(:infinity)
        end)
      end

      for name <- [:one, :two], do: assert_receive({:ready, ^name}, @wait)
      assert Enum.sort(Cluster.run(:a, fn -> :ets.all() end)) == [:one, :two]
      Cluster.stop_node(:a)
      Cluster.start_node(:a)
      assert Cluster.run(:a, fn -> :ets.all() end) == []
      assert Cluster.run(:a, fn -> :ets.new(:one, [:named_table]) end) == :one
    end)
  end

  defp other(:one), do: :two
  defp other(:two), do: :one

  test "an heir on another node is none" do
    run(fn ->
      Cluster.start_nodes([:a])
      pid = Cluster.spawn(:a, fn -> Process.sleep(:infinity) end)
      table = :ets.new(:table, [])
      assert catch_error(:ets.new(:other, [{:heir, pid, 1}])) == :badarg
      assert catch_error(:ets.give_away(table, pid, 1)) == :badarg
      assert catch_error(:ets.setopts(table, {:heir, pid, 1})) == :badarg
    end)
  end

  test "a giver that is killed in between has given all the same" do
    run_many(fn ->
      heir =
        spawn(fn ->
          receive do: ({:"ETS-TRANSFER", table, _, :gift} -> :ets.info(table, :owner) == self() || exit(:not_mine))
        end)

      ref = Process.monitor(heir)
      main = self()

      giver =
        spawn(fn ->
          table = :ets.new(:table, [:public])
          send(main, :made)
          :ets.give_away(table, heir, :gift)
          send(main, {:given, table})
        end)

      assert_receive :made, @wait
      Process.exit(giver, :kill)

      # Either it was killed before, or the heir got both.
      receive do
        {:DOWN, ^ref, _, _, reason} -> assert reason == :normal
      after
        @wait -> refute_received {:given, _}
      end
    end)
  end

  test "nothing of the real table that is given away is in the trace" do
    program = fn ->
      heir = spawn(fn -> receive do: ({:"ETS-TRANSFER", table, _, :gift} -> :ets.insert(table, {:mine, 1})) end)
      :ets.give_away(:ets.new(:table, [:public]), heir, :gift)
    end

    Runner.run(program, seeds: 5, check_determinism: true)
  end

  defp run_many(fun), do: Runner.run(fun, seeds: 300, max_stall: 0)

  @tag :tmp_dir
  test "a table goes to a file and comes back, which is an escape of the file's", %{tmp_dir: folder} do
    file = to_charlist(Path.join(folder, "table"))

    program = fn ->
      table = :ets.new(:table, [:named_table, :bag])
      :ets.insert(table, [{:a, 1}, {:a, 2}, {:b, 3}])
      :ok = :ets.tab2file(table, file)
      :ets.delete(table)
      assert {:ok, info} = :ets.tabfile_info(file)
      assert {info[:name], info[:size]} == {:table, 3}
      assert :ets.file2tab(file) == {:ok, :table}
      assert :ets.tab2list(:table) == [a: 1, a: 2, b: 3]
    end

    Runner.run(program, seed: 1, escapes: :allow)
    {:failed, failure} = Runner.explore(program, seeds: 1, escapes: :raise)
    assert %EscapeError{module: :file, function: :delete, location: {_, _}} = failure.error
  end

  test "going through a table while it is written to" do
    run(fn ->
      table = :ets.new(:table, [:public])
      :ets.insert(table, for(n <- 1..500, do: {n, 0}))

      seen =
        :ets.foldl(
          fn {n, _}, acc ->
            :ets.delete(table, n)
            :ets.insert(table, {n + 10_000, 0})
            acc + 1
          end,
          0,
          table
        )

      # Of what is added some is met and some is not, so that it comes to an end.
      assert seen in 501..3000
      assert :ets.info(table, :size) == 500
    end)
  end
end
