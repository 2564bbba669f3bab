defmodule Lockstep.AlwaysTest do
  use Lockstep.Case, async: true

  alias Lockstep.{AlwaysError, Cluster, DeadlockError, Failure, OptionError, OutsideRunError, Runner}

  defp failure(fun, options \\ []) do
    {:failed, %Failure{nondeterminism: nil} = failure} =
      Runner.explore(fun, Keyword.merge([seeds: 50, shrink: false], options))

    failure
  end

  defp violation(fun, options \\ []) do
    assert %AlwaysError{} = error = failure(fun, options).error
    error
  end

  # Two jobs, of which one at a time is to run; they look first and mark themselves then.
  defp jobs(table, mark) do
    for job <- 1..2 do
      Task.async(fn ->
        Process.sleep(10)
        if :ets.lookup(table, :running) == [], do: mark.(job)
        :ets.delete(table, {:done, job})
      end)
    end
    |> Task.await_many()
  end

  defp racy(table) do
    fn job ->
      :ets.insert(table, {{:job, job}})
      :ets.insert(table, {:running})
      :ets.delete(table, {:job, job})
      :ets.delete(table, :running)
    end
  end

  defp at_most_one(table), do: fn -> length(:ets.match(table, {{:job, :"$1"}})) <= 1 end

  describe "between the steps" do
    test "a violation that lasts for two steps is found, and the run ends at the step that made it" do
      failure =
        failure(fn ->
          table = :ets.new(:jobs, [:public])
          Lockstep.always("one job at a time", at_most_one(table))
          jobs(table, racy(table))
        end)

      assert %AlwaysError{name: "one job at a time", value: false, cause: nil, time: time} = failure.error
      assert time in 10..300
      assert failure.error.step == failure.result.steps
      assert List.last(failure.result.events).text =~ ~r/insert.*job/
      line = __ENV__.line - 8

      assert Exception.message(failure.error) =~
               ~r/"one job at a time" does not hold after step \d+, at \d+ ms of virtual/

      assert Exception.message(failure.error) =~
               "(claimed at test/lockstep/always_test.exs:#{line}); the check gave false"
    end

    test "what holds does no harm" do
      body = fn ->
        table = :ets.new(:jobs, [:public])
        Lockstep.always("one job at a time", at_most_one(table))
        jobs(table, fn job -> :ets.insert(table, {{:job, 0}, job}) end)
      end

      assert %{runs: 50} = Runner.run(body, seeds: 50, check_determinism: true)
    end

    test "a check takes no steps and no time, whatever it reads" do
      run = fn claim ->
        body = fn ->
          table = :ets.new(:jobs, [:public])
          claim.(table)
          jobs(table, racy(table))
          {System.monotonic_time(), :rand.uniform(), make_ref()}
        end

        for seed <- 1..20, do: Runner.run(body, seed: seed) |> Map.take([:steps, :virtual_ms])
      end

      assert run.(fn _table -> Lockstep.always(:nothing, fn -> true end) end) ==
               run.(fn table -> Lockstep.always(:read, fn -> :ets.tab2list(table) != nil and node() != :a end) end)
    end

    test "every process and the time can be looked at" do
      body = fn ->
        {:ok, agent} = Agent.start_link(fn -> 1 end, name: :watched)

        Lockstep.always("alive and idle", fn ->
          Process.alive?(agent) and Process.whereis(:watched) == agent and
            Process.info(agent, :message_queue_len) == {:message_queue_len, 0} and Lockstep.now() < 100
        end)

        Process.sleep(50)
        Process.exit(agent, :normal)
        Process.sleep(100)
      end

      # The step that follows the sleep is the first at which it does not hold any more.
      assert violation(body, max_stall: 0).time == 150
    end

    test "sees the death of a process as soon as it has happened" do
      body = fn ->
        pid = spawn(fn -> Process.sleep(20) end)
        Lockstep.always(:lives, fn -> Process.alive?(pid) end)
        Process.sleep(1_000)
      end

      assert %{time: 20, value: false} = violation(body, max_stall: 0)
    end

    test "reads from the node of who has made the claim, and from any other that it names" do
      body = fn ->
        Cluster.start_nodes([:a, :b])

        for node <- [:a, :b] do
          Cluster.run(node, fn -> :persistent_term.put(:leads, node() == :a) end)
        end

        Cluster.run(:b, fn -> Lockstep.always(:other, fn -> node() == :b and not :persistent_term.get(:leads) end) end)

        Lockstep.always("one leader", fn ->
          true = node() == :nonode@nohost
          1 == Enum.count([:a, :b], &Cluster.run(&1, fn -> :persistent_term.get(:leads) and node() == &1 end))
        end)

        Lockstep.eventually(fn -> Lockstep.now() > 50 end)
        Cluster.run(:a, fn -> :persistent_term.put(:leads, false) end)
      end

      assert %{name: "one leader", value: false} = violation(body)
    end

    test "what a node starts when it is first asked for is there for a check" do
      body = fn ->
        nodes = Cluster.start_nodes([:a, :b], connect: false)
        named? = fn -> :global.whereis_name(:single) != :undefined and Process.whereis(:global_name_server) != nil end
        Lockstep.always("one at most", fn -> Enum.count(nodes, &Cluster.run(&1, named?)) <= 1 end)

        for node <- nodes do
          Cluster.spawn(node, fn ->
            :yes = :global.register_name(:single, self())
            Process.sleep(:infinity)
          end)
        end

        Process.sleep(1_000)
      end

      assert %{name: "one at most", value: false, cause: nil} = violation(body)
    end

    test "a claim is not checked while the node it was made on is down, nor after its time" do
      body = fn ->
        [a] = Cluster.start_nodes([:a])
        Cluster.run(a, fn -> Lockstep.always(:short, fn -> Lockstep.now() < 1_000 end) end)
        Lockstep.always(:timed, fn -> Lockstep.now() < 2_000 end, for: 1_000)
        Process.sleep(500)
        Cluster.stop_node(a)
        Process.sleep(5_000)
      end

      assert %{runs: 20} = Runner.run(body, seeds: 20)
    end

    test "cannot take part" do
      test = self()

      for {fun, what} <- [
            {fn -> send(self(), :hello) end, "send"},
            {fn -> Process.sleep(1) end, "wait"},
            {fn -> spawn(fn -> send(test, :no) end) end, "start"},
            {fn -> :persistent_term.put(:a, 1) end, "change"}
          ] do
        assert %{cause: {:error, %ArgumentError{message: message}, _}} =
                 error = violation(fn -> claim_and_sleep(fun) end, seeds: 1)

        assert message =~ "only looks: it cannot send, wait, start or change anything; with the option every:"
        assert Exception.message(error) =~ "the check failed:\n\n** (ArgumentError) a check of Lockstep.always/3"
        assert what
      end
    end

    defp claim_and_sleep(fun) do
      Lockstep.always(:claim, fun)
      Process.sleep(10)
    end

    test "a failed assertion is shown as one" do
      error = violation(fn -> claim_and_sleep(fn -> assert node() == :elsewhere end) end)
      assert {:error, %ExUnit.AssertionError{}, [_ | _]} = error.cause
      assert Exception.message(error) =~ "):\n\nAssertion with == failed"
      assert Exception.message(error) =~ "node() == :elsewhere"
    end

    test "an exit and a throw fail the run, too" do
      assert %{cause: {:exit, :boom, _}} = violation(fn -> claim_and_sleep(fn -> exit(:boom) end) end)
      assert %{cause: {:throw, :ball, _}} = violation(fn -> claim_and_sleep(fn -> throw(:ball) end) end)
    end

    test "deadlocks are found and processes that look on are not among them" do
      body = fn ->
        Lockstep.always(:fine, fn -> true end)
        Lockstep.always(:fine_too, fn -> true end, every: 1)
        assert length(Process.list()) <= 2
        receive do: (:never -> :ok)
      end

      assert %DeadlockError{processes: [%{label: "main"}]} = failure(body, seeds: 3).error
    end

    test "with await: :quiescence it goes on after the main process" do
      body = fn ->
        Lockstep.always(:early, fn -> Lockstep.now() < 60 end)
        spawn(fn -> Process.sleep(60) end)
      end

      assert %{time: 60} = violation(body, await: :quiescence, max_stall: 0)
      assert %{runs: 5} = Runner.run(body, seeds: 5, max_stall: 0)
    end

    test "a replay of the choices fails in the same way" do
      body = fn ->
        table = :ets.new(:jobs, [:public])
        Lockstep.always("one job at a time", at_most_one(table))
        jobs(table, racy(table))
      end

      first = failure(body)
      again = failure(body, seeds: [first.seed], strategy: {:replay, first.result.choices})
      assert {again.error.step, again.result.hash} == {first.error.step, first.result.hash}
    end
  end

  describe "every:" do
    test "a process of the run asks" do
      body = fn ->
        {:ok, account} = Agent.start_link(fn -> 10 end)
        Lockstep.always("not overdrawn", fn -> Agent.get(account, & &1) >= 0 end, every: 5)
        Process.sleep(100)
        Agent.update(account, &(&1 - 11))
        Process.sleep(100)
      end

      assert %{name: "not overdrawn", time: time, value: false} = violation(body, max_stall: 0)
      assert time in 100..200
    end

    test "is cheap while nothing happens" do
      body = fn ->
        Lockstep.always(:fine, fn -> Lockstep.now() >= 0 end, every: 1)
        Process.sleep(3_000_000)
      end

      assert %{runs: 1, steps: steps} = Runner.run(body, seeds: 1, max_stall: 0)
      assert steps < 30
    end

    test "ends after its time" do
      body = fn ->
        Lockstep.always(:early, fn -> Lockstep.now() < 100 end, every: 7, for: 50)
        for _ <- 1..50, do: Process.sleep(10)
      end

      assert %{runs: 5} = Runner.run(body, seeds: 5, max_stall: 0)
      assert %AlwaysError{} = violation(fn -> body_without_end() end, max_stall: 0)
    end

    defp body_without_end do
      Lockstep.always(:early, fn -> Lockstep.now() < 100 end, every: 7)
      for _ <- 1..50, do: Process.sleep(10)
    end

    test "keeps the messages that its checks leave behind" do
      body = fn ->
        slow = spawn(fn -> answer_late() end)

        Lockstep.always(
          :asks,
          fn ->
            send(slow, {:ask, self()})

            receive do: (:late -> true),
                    after: (1 -> Process.info(self(), :message_queue_len) != {:message_queue_len, 9})
          end,
          every: 3
        )

        for _ <- 1..20, do: Process.sleep(10)
      end

      assert %{runs: 20} = Runner.run(body, seeds: 20)
    end

    defp answer_late do
      receive do: ({:ask, from} -> Process.send_after(from, :late, 2))
      answer_late()
    end
  end

  describe "bad input" do
    test "names what is wrong" do
      for {args, module, text} <- [
            {[1, fn -> true end], ArgumentError, "Lockstep.always/3 needs a name, as a string or an atom, got 1"},
            {["a", true], ArgumentError, "Lockstep.always/3 needs a function without arguments, got true"},
            {["a", fn -> true end, [every: 0]], OptionError, "for option :every"},
            {["a", fn -> true end, [for: -1]], OptionError, "for option :for"},
            {["a", fn -> true end, [within: 1]], OptionError, "the options are :every, :for"},
            {["a", fn -> true end, 5], OptionError, "invalid options 5 (from Lockstep.always/3)"}
          ] do
        {:failed, failure} = Runner.explore(fn -> apply(Lockstep, :always, args) end, seeds: 1)
        assert {:crash, :error, %^module{} = error, _stack} = failure.error
        assert Exception.message(error) =~ text
      end
    end

    test "outside of a run there is nothing to look at" do
      assert_raise OutsideRunError, ~r"^Lockstep.always/3 was called outside a run", fn ->
        Lockstep.always("a", fn -> true end)
      end
    end
  end
end
