defmodule Lockstep.Cluster.LatencyTest do
  use ExUnit.Case, async: true
  use Lockstep

  alias Lockstep.{Cluster, ClusterError, Runner}

  # How long a message from :a to :b is under way, over many seeds, in ms.
  defp times(set) do
    test = self()

    for seed <- 1..200 do
      Runner.run(
        fn ->
          Cluster.start_nodes([:a, :b, :c])
          set.()
          main = self()
          receiver = Cluster.spawn(:b, fn -> send(main, {:took, receive(do: (sent -> now() - sent))}) end)
          Cluster.run(:a, fn -> send(receiver, now()) end)
          receive(do: ({:took, time} -> Lockstep.host(fn -> send(test, {seed, time}) end)))
        end,
        seeds: [seed],
        max_stall: 0
      )

      receive(do: ({^seed, time} -> time))
    end
  end

  defp now, do: System.monotonic_time(:millisecond)

  test "is a range, everywhere, of a node or between two" do
    for set <- [
          fn -> Cluster.set_latency(50..60) end,
          fn -> Cluster.set_latency(:a, 50..60) end,
          fn -> Cluster.set_latency(:b, 50..60) end,
          fn -> Cluster.set_latency(:a, :b, 50..60) end
        ] do
      times = times(set)
      assert Enum.all?(times, &(&1 in 50..61))
      assert length(Enum.uniq(times)) > 5
    end
  end

  test "of other nodes does not count" do
    assert Enum.max(times(fn -> Cluster.set_latency(:c, 50..60) end)) < 50
    assert Enum.max(times(fn -> Cluster.set_latency(:a, :c, 50..60) end)) < 50
  end

  test "can be several ranges with weights" do
    {short, long} = Enum.split_with(times(fn -> Cluster.set_latency([{9, 0..2}, {1, 500..600}]) end), &(&1 <= 3))
    assert Enum.all?(long, &(&1 in 500..601))
    assert length(long) in 5..45 and length(short) + length(long) == 200
  end

  test "is refused where it is no time" do
    test = self()

    for wrong <- [5, 5..1//-1, -1..5, 0..10//2, [], [{0, 1..2}], [{1, 2}], [{1, 0..2} | :improper], "text"] do
      Runner.run(fn -> catch_error(Cluster.set_latency(wrong)) |> then(&Lockstep.host(fn -> send(test, &1) end)) end,
        seeds: 1
      )

      assert_received %ClusterError{reason: {:invalid_latency, ^wrong}} = error
      assert Exception.message(error) =~ "[{9, 0..5}"
    end
  end
end
