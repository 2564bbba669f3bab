defmodule Lockstep.Cluster.FaultsTest do
  use ExUnit.Case, async: true
  use Lockstep

  alias Lockstep.{Cluster, Failure, OptionError, Options, Runner}

  @once [partition: true, crash: [max: 1], pause: true, disconnect: true, latency: 0..50, clock_skew: 500]
  @often Keyword.put(@once, :crash, true)

  describe "the option" do
    defp message(faults) do
      {:error, %OptionError{} = error} = Options.validate(faults: faults)
      Exception.message(error)
    end

    test "takes each kind, and is brought into one form" do
      assert {:ok, %{faults: []}} = Options.validate([])
      assert {:ok, %{faults: [partition: []]}} = Options.validate(faults: [partition: true])
      assert {:ok, %{faults: []}} = Options.validate(faults: [partition: false, latency: false])

      assert {:ok, %{faults: [crash: [max: 1, restart: false]]}} =
               Options.validate(faults: [crash: [max: 1, restart: false]])

      assert {:ok, %{faults: [partition: [], latency: 5..5]}} =
               Options.validate(faults: [latency: 5..5, partition: []])
    end

    test "is refused with what it takes" do
      for {faults, expected} <- [
            {true, "expected a keyword list, such as faults: [partition: true"},
            {[:partition], "expected a keyword list"},
            {%{partition: true}, "expected a keyword list"},
            {[partitions: true],
             "no fault :partitions; there are :partition, :crash, :pause, :disconnect, :latency, :clock_skew"},
            {[fire: false], "no fault :fire"},
            {[partition: 1], "partition: takes true or options, such as partition: [max: 1]"},
            {[partition: [max: 0]], "partition: takes max: (a positive count)"},
            {[partition: [restart: true]], "partition: takes max: (a positive count)"},
            {[crash: [max: 1.5]], "crash: takes max: (a positive count) and restart: (true or false)"},
            {[crash: [restart: :later]], "crash: takes max: (a positive count) and restart: (true or false)"},
            {[pause: nil], "pause: takes true or options"},
            {[latency: true], "latency: takes a range of virtual milliseconds"},
            {[latency: 5..1//-1], "latency: takes a range"},
            {[latency: -1..5], "latency: takes a range"},
            {[latency: 0..4_294_967_296], "latency: takes a range of virtual milliseconds up to 4_294_967_295"},
            {[clock_skew: 0], "clock_skew: takes a number of virtual milliseconds from 1"},
            {[clock_skew: 1.5], "clock_skew: takes a number"},
            {[clock_skew: 0..5], "clock_skew: takes a number"}
          ] do
        assert message(faults) =~ expected
      end
    end
  end

  # What happens to the cluster in a run with faults, by the events of its trace.
  defp kinds_seen(seed, faults) do
    work = fn ->
      nodes = Cluster.start_nodes([:a, :b, :c])
      for node <- nodes, do: Cluster.spawn(node, fn -> chatter(nodes, 20) end)
      Process.sleep(40_000)
      Cluster.settle()
      raise "to be recorded"
    end

    # Seed by seed, without the run before all of them.
    options = [seeds: [seed], strategy: :random, faults: faults, shrink: false]
    {:failed, %Failure{result: result}} = Runner.explore(work, options)

    for event <- result.events,
        event.kind in ~w(partition cut crash_node pause_node disconnect set_latency access)a,
        event.text not in ["access", "settle"],
        uniq: true,
        do: kind(event)
  end

  defp kind(%{kind: :access, text: "set the clock" <> _}), do: :clock
  defp kind(%{kind: kind}), do: kind

  defp chatter(_nodes, 0), do: :ok

  defp chatter(nodes, left) do
    Process.sleep(1000)
    send({:nobody, Enum.random(nodes)}, :chatter)
    chatter(nodes, left - 1)
  end

  describe "each kind alone" do
    for {kind, options, events} <- [
          {:partition, true, [:partition, :cut]},
          {:crash, true, [:crash_node]},
          {:pause, true, [:pause_node]},
          {:disconnect, true, [:disconnect]},
          {:latency, 20..90, [:set_latency]},
          {:clock_skew, 1000, [:clock]}
        ] do
      test "#{kind}" do
        options = unquote(Macro.escape(options))
        seen = for seed <- 1..25, do: kinds_seen(seed, [{unquote(kind), options}]) -- [:access]
        assert Enum.all?(List.flatten(seen), &(&1 in unquote(events)))
        for event <- unquote(events), do: assert(Enum.any?(seen, &(event in &1)))
        # Swarm: some seeds go without.
        assert [] in seen
      end
    end
  end

  # Connections lost early can bring `global` into a livelock (docs/global-livelock.md).
  @without_global [kernel: [connect_all: false]]

  # Two stores in memory, of which a crash empties one at most; a writer, who tells the test which entries are safe.
  defp stores(write) do
    fn ->
      nodes =
        Cluster.start_nodes([:a, :b, :c],
          env: @without_global,
          start: fn -> {:ok, _} = Agent.start_link(fn -> [] end, name: :store) end
        )

      test = self()

      Cluster.spawn(:a, fn ->
        for n <- 1..20 do
          Process.sleep(1000)
          if Enum.all?([:b, :c], &write.(&1, n)), do: send(test, {:safe, n})
        end
      end)

      Process.sleep(60_000)
      Cluster.settle()
      # First what is safe: a writer that was paused goes on writing.
      safe = safe()
      stored = for node <- [:b, :c], entry <- Agent.get({:store, node}, & &1), uniq: true, do: entry
      assert safe -- stored == []
      for node <- nodes, do: assert(Cluster.run(node, fn -> Enum.sort(Node.list()) end) == nodes -- [node])
    end
  end

  defp safe do
    receive do
      {:safe, n} -> [n | safe()]
    after
      0 -> []
    end
  end

  # The bug: nobody has said that the entry is there.
  defp hope(node, n) do
    Agent.cast({:store, node}, &[n | &1])
    true
  end

  defp ask(node, n) do
    Agent.update({:store, node}, &[n | &1]) == :ok
  catch
    :exit, _reason -> false
  end

  describe "all kinds together" do
    test "find the update that nobody has acknowledged, within 300 seeds" do
      assert {:failed, %Failure{} = failure} = Runner.explore(stores(&hope/2), seeds: 1..300, faults: @once)
      assert Exception.message(failure) =~ "assert safe -- stored == []"
    end

    test "find nothing where it is acknowledged" do
      Runner.run(stores(&ask/2), seeds: 1..150, faults: @once, escapes: :raise)
    end

    test "and under a crash with messages on their way" do
      faults = [crash: [max: 1], latency: 0..50]
      assert {:failed, _} = Runner.explore(stores(&hope/2), seeds: 1..3000, faults: faults, shrink: false)
      Runner.run(stores(&ask/2), seeds: 1..100, faults: faults, escapes: :raise)
    end

    test "are the same when a seed is run again" do
      Runner.run(stores(&ask/2), seeds: 1..30, faults: @once, check_determinism: true, escapes: :raise)
    end

    test "are part of what a failing seed replays, byte for byte" do
      failures = failing(1, 3)
      assert length(failures) == 3

      for %{seed: seed, result: result} <- failures do
        for options <- [[seeds: [seed]], [seeds: [seed], strategy: {:replay, result.choices}]] do
          {:failed, again} = Runner.explore(stores(&hope/2), [faults: @once, shrink: false] ++ options)
          assert again.nondeterminism == nil
          assert again.result.choices == result.choices
          assert events(again) == events(%{result: result})
          if options[:strategy] == nil, do: assert(again.result.trace == result.trace)
        end
      end
    end

    defp events(%{result: result}), do: result.events

    defp failing(_first, 0), do: []

    defp failing(first, left) do
      {:failed, failure} = Runner.explore(stores(&hope/2), seeds: first..1000, faults: @once, shrink: false)
      [failure | failing(failure.seed + 1, left - 1)]
    end

    test "differ from seed to seed, and some seeds have none" do
      digests =
        for seed <- 1..20 do
          {:failed, failure} =
            Runner.explore(fn -> stores(&ask/2).() && raise("recorded") end,
              seeds: [seed],
              strategy: :random,
              faults: @once,
              shrink: false
            )

          for event <- failure.result.events,
              event.kind in [:partition, :cut, :crash_node, :pause_node, :disconnect],
              event.text != "settle",
              do: {event.time, event.text}
        end

      assert digests |> Enum.uniq() |> length() > 10
      assert Enum.any?(digests, &(length(&1) > 4))
    end
  end

  describe "the end of the faulty phase" do
    test "is settle/1: nothing happens afterwards" do
      for seed <- 1..60 do
        after_settling = fn ->
          nodes = Cluster.start_nodes([:a, :b, :c])
          Process.sleep(5_000 * rem(seed, 10))
          Cluster.settle()
          Process.sleep(400_000)
          assert Cluster.list_up() == nodes
          for node <- nodes, do: assert(Cluster.run(node, fn -> Enum.sort(Node.list()) end) == nodes -- [node])
        end

        Runner.run(after_settling, seeds: [seed], faults: @often)
      end
    end

    test "need not be: nodes come back by themselves" do
      waiting = fn ->
        nodes = Cluster.start_nodes([:a, :b, :c])
        Process.sleep(600_000)
        assert Cluster.list_up() == nodes
      end

      Runner.run(waiting, seeds: 1..100, faults: [crash: true])
    end

    test "leaves nodes down that are not to come back, until it" do
      run = fn check ->
        Runner.explore(fn -> check.(Cluster.start_nodes([:a, :b, :c])) end,
          seeds: 1..40,
          faults: [crash: [restart: false]]
        )
      end

      assert {:failed, _} = run.(fn nodes -> Process.sleep(300_000) && assert(Cluster.list_up() == nodes) end)

      assert {:ok, _} =
               run.(fn nodes -> Process.sleep(300_000) && Cluster.settle() && assert(Cluster.list_up() == nodes) end)
    end
  end

  describe "a node that a fault has taken down" do
    test "is waited for by run/2" do
      Runner.run(
        fn ->
          Cluster.start_nodes([:a, :b])

          for _ <- 1..30,
              do: Process.sleep(1000) && catch_exits(fn -> Cluster.run(:a, fn -> Process.sleep(100) end) end)
        end,
        seeds: 1..60,
        faults: [crash: [max: 2]]
      )
    end

    # One that goes down while the function runs there takes it along.
    defp catch_exits(fun) do
      fun.()
    catch
      :exit, reason when reason in [:noconnection, :killed] -> :ok
    end

    test "and which the test itself stops then, stays down" do
      Runner.run(
        fn ->
          Cluster.start_nodes([:a, :b])
          Process.sleep(30_000)
          if :a in Cluster.list_up(), do: Cluster.stop_node(:a)
          up? = :a in Cluster.list_up()
          Cluster.settle()
          Cluster.stop_node(:a)
          assert %Lockstep.ClusterError{reason: {:node_down, :a}} = catch_error(Cluster.run(:a, fn -> :ok end))
          refute up?
        end,
        seeds: 1..60,
        faults: [crash: true]
      )
    end

    test "and which the test itself has started and stopped meanwhile, stays down" do
      Runner.run(
        fn ->
          Cluster.start_nodes([:a, :b])
          Process.sleep(20_000)
          Cluster.start_node(:a)
          Cluster.stop_node(:a)
          Process.sleep(300_000)
          refute :a in Cluster.list_up()
        end,
        seeds: 1..60,
        faults: [crash: true]
      )
    end

    test "and that fails to start is started again" do
      Runner.run(
        fn ->
          {:ok, starts} = Agent.start_link(fn -> 0 end)
          # Every second start fails.
          start = fn -> Agent.get_and_update(starts, &{rem(&1, 2), &1 + 1}) == 0 || exit(:not_now) end
          Cluster.start_nodes([:a], start: start)
          Process.sleep(1_000_000)
          assert Cluster.list_up() == [:a]
          assert rem(Agent.get(starts, & &1), 2) == 1
        end,
        seeds: 1..60,
        faults: [crash: [max: 1]]
      )
    end
  end
end
