defmodule Conformance.StreamTest do
  # Elixir's Stream, where it has effects: when its functions are called, and in which process.
  use Lockstep.Support.Conformance

  defp told(value), do: tap(value, &send(self(), {:told, &1}))
  defp all_told, do: for({:told, value} <- flush(), do: value)

  # A resource that tells of its opening and closing.
  defp resource(last) do
    Stream.resource(
      fn -> tap(1, fn _ -> told(:open) end) end,
      fn n -> if n > last, do: {:halt, n}, else: {[told(n)], n + 1} end,
      fn n -> told({:close, n}) end
    )
  end

  test "a resource is opened when it is used, and closed at the end, when cut short, and on a crash" do
    check(fn ->
      stream = resource(3)
      lazy = all_told()
      whole = {Enum.to_list(stream), all_told()}
      short = {Enum.take(stream, 2), all_told()}
      crash = {caught(fn -> Enum.each(stream, fn n -> if n == 2, do: exit(:crash) end) end), all_told()}
      thrown = {caught(fn -> Enum.each(stream, fn n -> throw(n) end) end), all_told()}
      {lazy, whole, short, crash, thrown, {Enum.find(stream, &(&1 == 2)), all_told()}}
    end)
  end

  test "elements go through one at a time" do
    check(fn ->
      result =
        1..3
        |> Stream.map(&told(&1))
        |> Stream.filter(&(rem(&1, 2) == 1))
        |> Stream.map(&told(&1 * 10))
        |> Enum.to_list()

      {result, all_told()}
    end)
  end

  test "unfold, iterate, repeatedly, cycle and interval" do
    check(fn ->
      {Stream.unfold(5, fn n -> if n > 0, do: {told(n), n - 1} end) |> Enum.to_list(),
       1 |> Stream.iterate(&told(&1 * 2)) |> Enum.take(4),
       fn -> told(:again) end |> Stream.repeatedly() |> Enum.take(2), [1, 2] |> Stream.cycle() |> Enum.take(5),
       2 |> Stream.interval() |> Enum.take(3), all_told()}
    end)
  end

  test "timer" do
    check(fn ->
      before = System.monotonic_time(:millisecond)
      {4 |> Stream.timer() |> Enum.to_list(), System.monotonic_time(:millisecond) - before >= 4}
    end)
  end

  test "chunks" do
    check(fn ->
      even = fn n -> rem(n, 2) == 0 end

      {1..7 |> Stream.chunk_every(3) |> Enum.to_list(), 1..7 |> Stream.chunk_every(3, 2, :discard) |> Enum.to_list(),
       [1, 3, 2, 4, 5] |> Stream.chunk_by(even) |> Enum.to_list(),
       1..6
       |> Stream.chunk_while(
         [],
         fn n, acc -> if told(n) |> even.(), do: {:cont, Enum.reverse([n | acc]), []}, else: {:cont, [n | acc]} end,
         fn acc -> {:cont, {:rest, acc}, []} end
       )
       |> Enum.to_list(), all_told()}
    end)
  end

  test "zip of resources closes all of them" do
    check(fn ->
      {Stream.zip(resource(2), resource(5)) |> Enum.to_list(), all_told(),
       caught(fn -> Stream.zip([resource(5), resource(5)]) |> Enum.each(fn _ -> exit(:crash) end) end),
       Enum.sort(all_told())}
    end)
  end

  test "transform, with and without an ending" do
    check(fn ->
      counted =
        Stream.transform(
          1..5,
          fn -> told(0) end,
          fn n, acc -> if acc < 3, do: {[n, acc], acc + 1}, else: {:halt, acc} end,
          fn acc ->
            told({:after, acc})
          end
        )

      {Enum.to_list(counted), all_told(), Enum.take(counted, 1), all_told(),
       1..3 |> Stream.transform(0, fn n, acc -> {[acc + n], acc + n} end) |> Enum.to_list()}
    end)
  end

  test "each, into, run, dedup, uniq, scan, with_index, flat_map, concat" do
    check(fn ->
      {:ok, agent} = Agent.start_link(fn -> [] end)
      ran = 1..3 |> Stream.each(fn n -> Agent.update(agent, &[n | &1]) end) |> Stream.run()

      {ran, Agent.get(agent, & &1), [1, 1, 2, 1] |> Stream.dedup() |> Stream.with_index() |> Enum.to_list(),
       [1, 2, 1] |> Stream.uniq() |> Stream.scan(&+/2) |> Enum.to_list(),
       [1, 2] |> Stream.into(%{}, &{&1, told(&1)}) |> Stream.run(),
       resource(2) |> Stream.flat_map(fn n -> resource(n) end) |> Enum.to_list(), all_told(),
       Stream.concat(resource(1), resource(1)) |> Enum.take(2), all_told()}
    end)
  end

  test "a stream of messages" do
    check(fn ->
      main = self()
      for n <- 1..3, do: send(main, {:item, n})

      received = Stream.repeatedly(fn -> receive(do: ({:item, n} -> n), after: (0 -> :done)) end)
      received |> Stream.take_while(&(&1 != :done)) |> Enum.map(&(&1 * 2))
    end)
  end

  test "an enumerable is suspended in one process and goes on in another" do
    check(fn ->
      suspend = fn n, acc -> {:suspend, [n | acc]} end
      {:suspended, first, continue} = Enumerable.reduce(resource(3), {:suspend, []}, suspend)
      {:suspended, second, continue} = continue.({:cont, first})
      main = self()

      {:done, third} =
        Task.await(
          Task.async(fn ->
            {:suspended, acc, continue} = continue.({:cont, second})
            send(main, {:told_elsewhere, all_told()})
            {:halted, _} = continue.({:halt, acc})
            {:done, acc}
          end)
        )

      elsewhere = receive(do: ({:told_elsewhere, told} -> told))
      {first, second, third, all_told(), elsewhere}
    end)
  end

  test "async_stream is lazy, stops early, and composes" do
    check(fn ->
      {:ok, ran} = Agent.start_link(fn -> 0 end)
      work = fn n -> tap(n * 2, fn _ -> Agent.update(ran, &(&1 + 1)) end) end
      stream = 1..100 |> Task.async_stream(work, max_concurrency: 2) |> Stream.map(&elem(&1, 1))
      lazy = Agent.get(ran, & &1)
      taken = stream |> Stream.filter(&(rem(&1, 4) == 0)) |> Enum.take(2)
      # No more than the four that were needed and the two that were under way.
      {lazy, taken, Agent.get(ran, & &1) in 4..6}
    end)
  end

  test "a stream over what an agent holds, read as it goes" do
    check(fn ->
      {:ok, queue} = Agent.start_link(fn -> [1, 2, 3] end)
      pop = fn -> Agent.get_and_update(queue, fn items -> {List.first(items), Enum.drop(items, 1)} end) end

      seen =
        pop
        |> Stream.repeatedly()
        |> Stream.take_while(& &1)
        |> Enum.map(fn n ->
          if n == 1, do: Agent.update(queue, &(&1 ++ [4]))
          n
        end)

      {seen, Agent.get(queue, & &1)}
    end)
  end
end
