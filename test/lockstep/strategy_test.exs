defmodule YoungestFirst do
  # As in the documentation of Lockstep.Strategy.
  @behaviour Lockstep.Strategy

  @impl true
  def init(seed, _profile, options) do
    %{random: :rand.seed_s(:exsss, seed), one_in: Keyword.get(options, :one_in, 10)}
  end

  @impl true
  def schedule(events, state) do
    {number, random} = :rand.uniform_s(state.one_in, state.random)
    {chosen, random} = if number == 1, do: any(events, random), else: {youngest(events), random}
    {chosen, %{state | random: random}}
  end

  defp any(events, random) do
    {number, random} = :rand.uniform_s(length(events), random)
    {number - 1, random}
  end

  defp youngest(events) do
    events |> Enum.with_index() |> Enum.max_by(fn {event, _} -> event.process || -1 end) |> elem(1)
  end
end

defmodule ToldStrategy do
  # Does what its arguments say, and tells a listener what it is asked.
  @behaviour Lockstep.Strategy

  @impl true
  def init(seed, profile, args) do
    args = Map.new(args)
    if args[:init], do: args.init.()
    if args[:tell], do: send(args.tell, {:init, seed, profile})
    args
  end

  @impl true
  def schedule(events, args) do
    if args[:tell], do: send(args.tell, {:events, events})
    {if(args[:schedule], do: args.schedule.(events), else: 0), args}
  end

  @impl true
  def stall(event, limits, args), do: {if(args[:stall], do: args.stall.(event, limits), else: 0), args}
end

defmodule Lockstep.StrategyTest do
  use ExUnit.Case, async: true
  use Lockstep

  alias Lockstep.{Failure, OptionError, Runner, Strategy, StrategyError}
  alias Lockstep.Strategy.{Event, Profile}

  doctest Lockstep.Strategy, import: true

  defp two_senders do
    main = self()
    for name <- [:a, :b], do: spawn(fn -> send(main, name) end)
    for _ <- 1..2, do: receive(do: (name -> name))
  end

  defp a_first, do: assert(two_senders() == [:a, :b])

  defp reply_in_time do
    main = self()
    spawn(fn -> send(main, :reply) end)
    assert_receive :reply, 50
  end

  defp events(told \\ []) do
    receive do
      {:events, events} -> events(events ++ told)
    after
      0 -> told
    end
  end

  describe "a strategy written in Elixir" do
    test "finds a bug; its seed finds it again, its choices replay it, and it is shrunk" do
      options = [strategy: YoungestFirst, max_stall: 0]
      {:failed, %Failure{} = failure} = Runner.explore(&a_first/0, [seeds: 1..50] ++ options)
      assert %{strategy: YoungestFirst, chosen: YoungestFirst, nondeterminism: nil} = failure
      assert failure.replay =~ ~r/^LOCKSTEP_SEED=\d+ mix test/
      assert Exception.message(failure) =~ "strategy YoungestFirst,"
      {:failed, again} = Runner.explore(&a_first/0, [seed: failure.seed] ++ options)
      assert again.result.trace == failure.result.trace
      replay = [seed: failure.seed, strategy: {:replay, failure.result.choices}]
      {:failed, replayed} = Runner.explore(&a_first/0, replay)
      assert replayed.result.events == failure.result.events
      assert failure.shrunk.after.switches <= failure.shrunk.before.switches
    end

    test "takes arguments, and other arguments are other runs" do
      schedules = fn one_in ->
        options = [strategy: {YoungestFirst, one_in: one_in}, seeds: 30, max_stall: 0]
        {:ok, summary} = Runner.explore(&two_senders/0, options)
        summary.distinct
      end

      assert schedules.(1_000_000) == 1
      assert schedules.(1) == 2
    end

    test "is the undisturbed run if it always chooses the first" do
      {:ok, told} = Runner.explore(&two_senders/0, strategy: ToldStrategy, seed: 1)
      {:ok, fifo} = Runner.explore(&two_senders/0, strategy: :fifo, seed: 1)
      assert {told.steps, told.virtual_ms} == {fifo.steps, fifo.virtual_ms}
      assert {:failed, _} = Runner.explore(fn -> flunk("no") end, strategy: ToldStrategy, seed: 1)
    end

    test "sees who acts upon what, and what the undisturbed run has shown" do
      {:ok, _} = Runner.explore(&two_senders/0, strategy: {ToldStrategy, tell: self()}, seed: 3)
      assert_received {:init, 3, %Profile{steps: steps, actors: 3} = profile}
      assert steps > 5
      events = events()
      sends = for %Event{process: process, object: {:process, 0}} = event <- events, process in [1, 2], do: event
      assert [a, b] = sends |> Enum.uniq() |> Enum.sort_by(& &1.process)
      assert Strategy.conflict?(a, b)
      assert a.identity == b.identity and a.lineage != b.lineage
      assert a.identity in profile.contended
      assert Map.has_key?(profile.weights, a.lineage)
    end

    test "holds a process back until a deadline" do
      late = fn event, %{upcoming: upcoming} ->
        if event.process == 1 and 50_000 in upcoming, do: 50_001, else: 0
      end

      assert {:ok, _} = Runner.explore(&reply_in_time/0, strategy: ToldStrategy, seeds: 2)
      options = [strategy: {ToldStrategy, stall: late}, seeds: 2, shrink: false]
      assert {:failed, %Failure{seed: 1} = failure} = Runner.explore(&reply_in_time/0, options)
      assert %{error: {:crash, :error, %ExUnit.AssertionError{}, _}} = failure
      assert "held back for 50.001 ms" in Enum.map(failure.result.events, & &1.text)
    end

    test "works in a cluster, where latencies are drawn from the seed" do
      echo = fn ->
        [a] = Lockstep.Cluster.start_nodes([:a])
        pid = Lockstep.Cluster.spawn(a, fn -> receive(do: ({from, text} -> send(from, text))) end)
        send(pid, {self(), :hello})
        assert_receive :hello
      end

      assert {:ok, %{runs: 10}} = Runner.explore(echo, strategy: YoungestFirst, seeds: 10, check_determinism: true)
    end
  end

  describe "a strategy that is wrong" do
    defp wrong(args) do
      {:failed, %Failure{error: error}} = Runner.explore(&two_senders/0, strategy: {ToldStrategy, args}, seed: 1)
      assert %StrategyError{module: ToldStrategy} = error
      Exception.message(error)
    end

    test "is named with what it has answered" do
      assert wrong(schedule: &length/1) =~
               ~r/^the strategy ToldStrategy.schedule\/2 answered \{\d+, .*\}: expected \{index, state\}, with an index from 0 to \d+$/

      assert wrong(schedule: fn _ -> -1 end) =~ "expected {index, state}"
      assert wrong(schedule: fn _ -> :first end) =~ "answered {:first, "
      assert wrong(stall: fn _, %{max: max} -> max + 1 end) =~ "with a time from 0 to 100000"
      assert wrong(stall: fn _, _ -> nil end) =~ "ToldStrategy.stall/3 answered {nil, "
    end

    test "is named with what it has raised" do
      assert wrong(schedule: fn _ -> raise "no idea" end) =~
               ~r/^the strategy ToldStrategy.schedule\/2 failed:\n\n\*\* \(RuntimeError\) no idea\n/

      assert wrong(stall: fn _, _ -> throw(:away) end) =~ "ToldStrategy.stall/3 failed:\n\n** (throw) :away"
      assert wrong(init: fn -> exit(:early) end) =~ "ToldStrategy.init/3 failed:\n\n** (exit) :early"
    end

    test "is refused if it is none" do
      for {strategy, text} <- [
            {Enum, "Enum is no module with init/3 and schedule/2, see Lockstep.Strategy"},
            {NoSuchModule, "NoSuchModule is no module with init/3 and schedule/2"},
            {{String, []}, "String is no module"},
            {:best, "{:pct, depth}"}
          ] do
        assert_raise OptionError, ~r/#{Regex.escape(text)}/, fn -> Runner.run(fn -> :ok end, strategy: strategy) end
      end
    end
  end
end
