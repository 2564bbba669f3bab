defmodule Programs.Bugs do
  @moduledoc false
  # Programs with a bug each, as `{name, program, options}`: what their failing runs are shrunk to is measured and tested.

  use Lockstep
  import ExUnit.Assertions

  alias Lockstep.Cluster

  def all do
    [
      lost_update: {&__MODULE__.lost_update/0, []},
      check_then_act: {&__MODULE__.check_then_act/0, []},
      jobs_given_twice: {&__MODULE__.jobs_given_twice/0, []},
      lost_mark_down: {&__MODULE__.lost_mark_down/0, []},
      order_served_twice: {&__MODULE__.order_served_twice/0, []},
      lost_count: {&__MODULE__.lost_count/0, []},
      overdrawn: {&__MODULE__.overdrawn/0, []},
      version_bumped_once: {&__MODULE__.version_bumped_once/0, []},
      last_seat: {&__MODULE__.last_seat/0, []},
      last_seat_of_many: {&__MODULE__.last_seat_of_many/0, []},
      order_of_messages: {&__MODULE__.order_of_messages/0, []},
      overtaken_message: {&__MODULE__.overtaken_message/0, [delivery: :async]},
      dining_philosophers: {&__MODULE__.dining_philosophers/0, []},
      calls_in_a_circle: {&__MODULE__.calls_in_a_circle/0, []},
      lost_wake_up: {&__MODULE__.lost_wake_up/0, []},
      late_reply: {&__MODULE__.late_reply/0, []},
      call_times_out: {&__MODULE__.call_times_out/0, []},
      expired_lease: {&__MODULE__.expired_lease/0, []},
      dead_worker: {&__MODULE__.dead_worker/0, []},
      crash_of_another: {&__MODULE__.crash_of_another/0, [fail_on: :crash]},
      left_waiting: {&__MODULE__.left_waiting/0, [fail_on: :blocked]},
      claim_broken: {&__MODULE__.claim_broken/0, []},
      news_of_two_nodes: {&__MODULE__.news_of_two_nodes/0, []},
      partition_fault: {&__MODULE__.partition_fault/0, [faults: [partition: true, pause: true]]},
      crash_fault: {&__MODULE__.crash_fault/0, [faults: [crash: [max: 1], latency: 0..50, clock_skew: 500]]},
      clock_fault: {&__MODULE__.clock_fault/0, [faults: [partition: true, clock_skew: 500]]}
    ]
  end

  defp together(funs), do: funs |> Enum.map(&Task.async/1) |> Task.await_many(:infinity)

  defp table(rows) do
    table = :ets.new(:table, [:public])
    :ets.insert(table, rows)
    table
  end

  defp add_one(table) do
    [{:n, n}] = :ets.lookup(table, :n)
    :ets.insert(table, {:n, n + 1})
  end

  def lost_update do
    table = table(n: 0)
    together(for _ <- 1..3, do: fn -> add_one(table) end)
    assert :ets.lookup(table, :n) == [n: 3]
  end

  def check_then_act do
    table = table([])
    won = together(for n <- 1..3, do: fn -> not :ets.member(table, :lock) and :ets.insert(table, {:lock, n}) end)
    assert Enum.count(won, & &1) == 1
  end

  def jobs_given_twice do
    table = table(for n <- 1..2, do: {n, :job})

    take = fn n ->
      case :ets.lookup(table, n) do
        [{n, :job}] -> :ets.delete(table, n) && [n]
        [] -> []
      end
    end

    done = together(for _ <- 1..2, do: fn -> for n <- 1..2, do: take.(n) end)
    assert done |> List.flatten() |> Enum.sort() == [1, 2]
  end

  def lost_mark_down do
    table = table(tea: 10, coffee: 20)

    raise_all = fn ->
      for {article, price} <- :ets.select(table, [{:_, [], [:"$_"]}]), do: :ets.insert(table, {article, price * 2})
    end

    together([raise_all, fn -> :ets.update_counter(table, :tea, -5) end])
    assert :ets.lookup(table, :tea) in [[tea: 10], [tea: 15]]
  end

  def order_served_twice do
    table = table(for n <- 1..3, do: {n})
    served = together(for _ <- 1..2, do: fn -> serve_all(table) end)
    assert served |> List.flatten() |> Enum.sort() == [1, 2, 3]
  end

  defp serve_all(table) do
    case :ets.first(table) do
      :"$end_of_table" -> []
      key -> :ets.delete(table, key) && [key | serve_all(table)]
    end
  end

  def lost_count do
    counter = :counters.new(1, [])
    together(for n <- 1..3, do: fn -> :counters.put(counter, 1, :counters.get(counter, 1) + n) end)
    assert :counters.get(counter, 1) == 6
  end

  def overdrawn do
    account = :atomics.new(1, signed: true)
    :atomics.put(account, 1, 10)
    together(for _ <- 1..3, do: fn -> if :atomics.get(account, 1) >= 4, do: :atomics.sub(account, 1, 4) end)
    assert :atomics.get(account, 1) == 2
  end

  def version_bumped_once do
    :persistent_term.put(:version, 1)
    bump = fn -> :persistent_term.put(:version, :persistent_term.get(:version) + 1) end
    together([bump, bump])
    assert :persistent_term.get(:version) == 3
  end

  defp sell(seats), do: if(Agent.get(seats, & &1) > 0, do: Agent.update(seats, &(&1 - 1)))

  def last_seat, do: seats(1, 2)
  # Most of what the other clerks do has nothing to do with it.
  def last_seat_of_many, do: seats(5, 6)

  defp seats(count, clerks) do
    {:ok, seats} = Agent.start_link(fn -> count end)
    together(for _ <- 1..clerks, do: fn -> sell(seats) end)
    assert Agent.get(seats, & &1) == 0
  end

  def order_of_messages do
    main = self()
    for n <- 1..5, do: spawn(fn -> send(main, n) end)
    received = for _ <- 1..5, do: receive(do: (n -> n))
    assert Enum.find_index(received, &(&1 == 5)) > Enum.find_index(received, &(&1 == 2))
  end

  def overtaken_message do
    main = self()
    relay = spawn(fn -> receive(do: (:go -> send(main, :relayed))) end)

    spawn(fn ->
      send(main, :first)
      send(relay, :go)
    end)

    assert [:first, :relayed] = for(_ <- 1..2, do: receive(do: (message -> message)))
  end

  def dining_philosophers do
    forks = for _ <- 1..3, do: elem(Agent.start_link(fn -> :free end), 1)
    together(for n <- 0..2, do: fn -> dine(Enum.at(forks, n), Enum.at(forks, rem(n + 1, 3))) end)
  end

  defp dine(left, right) do
    take(left)
    take(right)
    for fork <- [left, right], do: Agent.update(fork, fn _ -> :free end)
  end

  # Waits until it is told that the fork is free.
  defp take(fork) do
    me = self()

    taken? =
      Agent.get_and_update(fork, fn
        :free -> {true, :taken}
        other -> {false, {other, me}}
      end)

    unless taken?, do: receive(do: ({:free, ^fork} -> :ok))
  end

  defmodule Friend do
    @moduledoc false
    use GenServer

    def init(nil), do: {:ok, nil}
    def handle_cast({:ask, friend}, state), do: {:noreply, GenServer.call(friend, :how_are_you, :infinity) && state}
    def handle_call(:how_are_you, _from, state), do: {:reply, :fine, state}
  end

  def calls_in_a_circle do
    [a, b] = for _ <- 1..2, do: elem(GenServer.start_link(Friend, nil), 1)
    together([fn -> GenServer.cast(a, {:ask, b}) end, fn -> GenServer.cast(b, {:ask, a}) end])
    for friend <- [a, b], do: assert(GenServer.call(friend, :how_are_you, :infinity) == :fine)
  end

  def lost_wake_up do
    table = table(ready: false)
    sleeper = Task.async(fn -> unless :ets.lookup(table, :ready) == [ready: true], do: wait_for_call(table) end)

    waker =
      Task.async(fn ->
        :ets.insert(table, {:ready, true})
        for {:sleeper, pid} <- :ets.lookup(table, :sleeper), do: send(pid, :wake_up)
      end)

    Task.await_many([sleeper, waker], :infinity)
  end

  defp wait_for_call(table) do
    :ets.insert(table, {:sleeper, self()})
    receive(do: (:wake_up -> :ok))
  end

  def late_reply do
    main = self()
    prices = %{apple: 1, pear: 2}

    server =
      spawn(fn ->
        for _ <- 1..2 do
          receive(do: ({:price, item} -> Process.send_after(main, {:is, prices[item]}, 30)))
        end
      end)

    answers =
      for item <- [:apple, :pear] do
        send(server, {:price, item})
        receive(do: ({:is, price} -> price), after: (50 -> :unknown))
      end

    assert answers |> Enum.zip([1, 2]) |> Enum.all?(fn {got, price} -> got in [:unknown, price] end)
  end

  def call_times_out do
    {:ok, store} = Agent.start_link(fn -> %{} end)
    together(for n <- 1..4, do: fn -> Agent.update(store, &Map.put(&1, n, n), 60) end)
    assert map_size(Agent.get(store, & &1)) == 4
  end

  # Who holds the lease writes; between the check and the write it can end, and another one be the holder.
  def expired_lease do
    table = table(lease: {nil, 0}, value: nil)
    together([fn -> hold_lease(table, 1, 0, 20) end, fn -> hold_lease(table, 2, 45, 0) end])
    [lease: {holder, _}] = :ets.lookup(table, :lease)
    assert :ets.lookup(table, :value) == [value: holder]
  end

  defp hold_lease(table, me, later, work) do
    Process.sleep(later)
    now = System.monotonic_time(:millisecond)
    :ets.insert(table, {:lease, {me, now + 40}})
    Process.sleep(work)
    [lease: {holder, until}] = :ets.lookup(table, :lease)
    if holder == me and System.monotonic_time(:millisecond) < until, do: :ets.insert(table, {:value, me})
  end

  def dead_worker do
    {:ok, _} = Registry.start_link(keys: :unique, name: Programs.Workers)

    worker =
      Task.async(fn ->
        Registry.register(Programs.Workers, :only, nil)
        receive(do: ({:work, from} -> send(from, :done)))
      end)

    ask = fn ->
      case Registry.lookup(Programs.Workers, :only) do
        [{pid, _}] ->
          monitor = Process.monitor(pid)
          send(pid, {:work, self()})

          receive do
            :done -> :done
            {:DOWN, ^monitor, _, _, reason} -> {:lost, reason}
          end

        [] ->
          :done
      end
    end

    answers = together([ask, ask])
    Process.exit(worker.pid, :kill)
    assert answers == [:done, :done]
  end

  def crash_of_another do
    table = table(state: :starting)

    user =
      spawn(fn ->
        [{:state, :started}] = :ets.lookup(table, :state)
      end)

    monitor = Process.monitor(user)
    :ets.insert(table, {:state, :started})
    receive(do: ({:DOWN, ^monitor, _, _, _} -> :ok))
  end

  def left_waiting do
    main = self()

    worker =
      spawn(fn ->
        Process.register(self(), :worker)
        receive(do: (:stop -> send(main, :stopped)))
      end)

    if Process.whereis(:worker), do: send(worker, :stop) && receive(do: (:stopped -> :ok))
  end

  def claim_broken do
    table = table(running: 0)
    Lockstep.always("one at a time", fn -> :ets.lookup_element(table, :running, 2) <= 1 end)

    run = fn ->
      if :ets.lookup_element(table, :running, 2) == 0 do
        :ets.update_counter(table, :running, 1)
        :ets.update_counter(table, :running, -1)
      end
    end

    together([run, run, run])
  end

  defp ready(main), do: send(main, :ready) && :ok

  # A value, and the copy that another node has heard of.
  def news_of_two_nodes do
    [a, b, c] = Cluster.start_nodes([:a, :b, :c])
    main = self()

    Cluster.spawn(c, fn ->
      Process.register(self(), :copy)
      ready(main)
      heard = for _ <- 1..2, do: receive(do: ({:news, n} -> n))
      send(main, {:heard, heard})
    end)

    assert_receive :ready
    Cluster.spawn(a, fn -> send({:copy, c}, {:news, 1}) && send(main, :told) end)
    assert_receive :told
    Cluster.spawn(b, fn -> send({:copy, c}, {:news, 2}) end)
    assert_receive {:heard, [1, 2]}
  end

  # Writes go to both replicas, and are not repeated when the connection is lost after a minute's silence.
  def partition_fault do
    [a, b] = Cluster.start_nodes([:a, :b])
    replicas = for node <- [a, b], do: replica(node)

    for n <- 1..3 do
      Cluster.run(a, fn -> for pid <- replicas, do: send(pid, {:put, n}) end)
      Process.sleep(30_000)
    end

    Cluster.settle()
    [one, other] = for pid <- replicas, do: held(pid)
    assert Enum.sort(one) == Enum.sort(other)
  end

  defp replica(node) do
    main = self()

    pid =
      Cluster.spawn(node, fn ->
        ready(main)
        hold([])
      end)

    assert_receive :ready
    pid
  end

  defp hold(held) do
    receive do
      {:put, n} -> hold([n | held])
      {:held, from} -> send(from, {:held, held}) && hold(held)
    end
  end

  defp held(pid) do
    send(pid, {:held, self()})
    receive(do: ({:held, held} -> held), after: (1_000 -> :gone))
  end

  # What is in memory only is gone after a crash.
  def crash_fault do
    [a, b] = Cluster.start_nodes([:a, :b])
    replica = replica(b)

    for n <- 1..3 do
      Cluster.run(a, fn -> send(replica, {:put, n}) end)
      Process.sleep(1_000)
    end

    Cluster.settle()
    assert held(replica) == [3, 2, 1]
  end

  # The latest write wins, by clocks that differ.
  def clock_fault do
    [a, b] = Cluster.start_nodes([:a, :b])
    stamp = fn node, value -> Cluster.run(node, fn -> {System.system_time(:millisecond), value} end) end
    first = stamp.(a, :first)
    Process.sleep(100)
    second = stamp.(b, :second)
    Cluster.settle()
    assert max(first, second) |> elem(1) == :second
  end
end
