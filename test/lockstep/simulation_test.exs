defmodule Lockstep.SimulationTest do
  # What comes out of the runs comes to one listener.
  use ExUnit.Case, async: false
  use Lockstep

  alias Lockstep.{Failure, ProcessFailure, ReplayError, Runner}

  # One run a seed, of any order that chance finds; searches look for what is rare, too.
  defp outcomes(fun, options \\ []) do
    for seed <- 1..60, uniq: true do
      {:ok, _} =
        Runner.explore(fn -> send_out(fun.()) end, Keyword.merge([seeds: [seed], strategy: :random], options))

      receive do: ({:outcome, outcome} -> outcome)
    end
  end

  # The test process is none of the run: what a run comes to is told through the one native module at hand.
  defp send_out(outcome), do: Lockstep.Support.Outside.tell(outcome)

  setup do
    Lockstep.Support.Outside.listen()
  end

  describe "strategies" do
    test ":random finds all orders of two messages" do
      assert Enum.sort(outcomes(&two_senders/0)) == [[:a, :b], [:b, :a]]
    end

    test ":fifo is one schedule, whatever the seed" do
      assert outcomes(&two_senders/0, strategy: :fifo) == [[:a, :b]]
    end

    test "a choice log replays the run, without its seed" do
      fun = fn -> assert two_senders() == [:a, :b] end
      {:failed, %Failure{result: result}} = Runner.explore(fun, seeds: 1..50)
      {:failed, %Failure{result: again}} = Runner.explore(fun, seed: 0, strategy: {:replay, result.choices})
      assert again.hash == result.hash
      assert again.events == result.events
    end

    test "a choice log that does not fit says where" do
      assert {:failed, %Failure{error: %ReplayError{choice: 1}}} =
               Runner.explore(&two_senders/0, seed: 1, strategy: {:replay, [1_000]})
    end
  end

  describe "time" do
    test "a timeout races with a reply that is late by less than a stall" do
      fun = fn ->
        main = self()
        spawn(fn -> send(main, :reply) end)
        receive(do: (:reply -> :reply), after: (50 -> :timeout))
      end

      assert Enum.sort(outcomes(fun)) == [:reply, :timeout]
      assert outcomes(fun, max_stall: 0) == [:reply]
      assert outcomes(fun, max_stall: 49) == [:reply]
    end

    test "timers due at the same instant come in any order" do
      fun = fn ->
        for n <- [1, 2], do: Process.send_after(self(), n, 10)
        for _ <- [1, 2], do: receive(do: (n -> n))
      end

      assert Enum.sort(outcomes(fun, max_stall: 0)) == [[1, 2], [2, 1]]
    end

    test "a timer that is due earlier comes first" do
      fun = fn ->
        for n <- [2, 1], do: Process.send_after(self(), n, n)
        for _ <- [1, 2], do: receive(do: (n -> n))
      end

      assert outcomes(fun) == [[1, 2]]
    end
  end

  test "a process that sleeps keeps what it is sent" do
    fun = fn ->
      main = self()
      spawn(fn -> for n <- 1..3, do: Process.sleep(5) && send(main, n) end)
      Process.sleep(500)
      for _ <- 1..3, do: receive(do: (n -> n))
    end

    assert outcomes(fun) == [[1, 2, 3]]
    assert fun.() == [1, 2, 3]
  end

  describe "delivery:" do
    test ":instant keeps what one process causes in order, :async keeps only the order of a pair" do
      fun = fn ->
        main = self()
        relay = spawn(fn -> receive(do: (:go -> send(main, :relayed))) end)

        spawn(fn ->
          send(main, :first)
          send(relay, :go)
        end)

        for _ <- 1..2, do: receive(do: (message -> message))
      end

      assert outcomes(fun) == [[:first, :relayed]]
      assert Enum.sort(outcomes(fun, delivery: :async)) == [[:first, :relayed], [:relayed, :first]]
    end
  end

  describe "fail_on: and await:" do
    test ":crash fails a run in which any process crashes" do
      fun = fn -> spawn(fn -> raise "on purpose" end) && Process.sleep(500) end
      assert {:ok, _} = Runner.explore(fun, seeds: 5)
      assert {:failed, %Failure{error: error}} = Runner.explore(fun, seeds: 5, fail_on: :crash)
      assert %ProcessFailure{kind: :crash, reason: {%RuntimeError{message: "on purpose"}, _}} = error
    end

    test ":crash takes an orderly end for none" do
      fun = fn -> spawn(fn -> exit({:shutdown, :enough}) end) && Process.sleep(500) end
      assert {:ok, _} = Runner.explore(fun, seeds: 5, fail_on: :crash)
    end

    test ":blocked fails a run that leaves a process waiting for ever" do
      fun = fn -> spawn(fn -> receive(do: (:never -> :ok)) end) end
      assert {:ok, _} = Runner.explore(fun, seeds: 5)
      assert {:failed, %Failure{error: error}} = Runner.explore(fun, seeds: 5, fail_on: :blocked)
      assert %ProcessFailure{kind: :blocked, waiting_in: place} = error
      assert place =~ "simulation_test.exs"
    end

    test ":quiescence goes on after the function, until nothing can happen" do
      fun = fn -> spawn(fn -> Process.sleep(1000) && raise("late") end) end
      assert {:ok, %{virtual_ms: 0}} = Runner.explore(fun, seeds: 1, fail_on: :crash, max_stall: 0)
      assert {:failed, _} = Runner.explore(fun, seeds: 1, fail_on: :crash, await: :quiescence)
    end
  end

  test "a failed assert_receive shows the mailbox of the run" do
    fun = fn ->
      send(self(), {:other, 1})
      assert_receive {:this, _}, 20
    end

    assert {:failed, %Failure{error: {:crash, :error, %ExUnit.AssertionError{} = error, _}}} =
             Runner.explore(fun, seed: 1)

    assert error.message =~ "Showing 1 of 1 message"
    assert {:mailbox, [], [{:other, 1}]} = error.context
  end

  test "nodes: are there when the function starts" do
    assert outcomes(fn -> Lockstep.Cluster.list_up() end, nodes: [:a, :b]) == [[:a, :b]]
  end

  defp two_senders do
    main = self()
    for name <- [:a, :b], do: spawn(fn -> send(main, name) end)
    for _ <- 1..2, do: receive(do: (name -> name))
  end
end
