Code.require_file("support.exs", __DIR__)

defmodule Distribution.EventsTest do
  @moduledoc """
  What subscribers of nodes hear (`net_kernel:monitor_nodes/2`): each rule on simulated nodes, over many seeds. What real
  nodes do is in `test/oracle`.
  """
  use ExUnit.Case, async: true
  use Lockstep

  import Distribution.Support

  alias Lockstep.Cluster

  @shapes [
    {nil, {:nodeup, :b}, {:nodedown, :b}},
    {[], {:nodeup, :b}, {:nodedown, :b}},
    {[:connection_id], {:nodeup, :b, [connection_id: :id]}, {:nodedown, :b, [connection_id: :id]}},
    {[:nodedown_reason], {:nodeup, :b, []}, {:nodedown, :b, [nodedown_reason: :disconnect]}},
    {[node_type: :visible], {:nodeup, :b, [node_type: :visible]}, {:nodedown, :b, [node_type: :visible]}},
    {[:connection_id, :nodedown_reason, node_type: :all], {:nodeup, :b, [connection_id: :id, node_type: :visible]},
     {:nodedown, :b, [connection_id: :id, nodedown_reason: :disconnect, node_type: :visible]}},
    {[{:node_type, :all}, :nodedown_reason], {:nodeup, :b, [node_type: :visible]},
     {:nodedown, :b, [nodedown_reason: :disconnect, node_type: :visible]}},
    {%{}, {:nodeup, :b, %{}}, {:nodedown, :b, %{}}},
    {%{connection_id: true, nodedown_reason: true, node_type: :visible},
     {:nodeup, :b, %{connection_id: :id, node_type: :visible}},
     {:nodedown, :b, %{connection_id: :id, node_type: :visible, nodedown_reason: :disconnect}}},
    {%{connection_id: false, nodedown_reason: true}, {:nodeup, :b, %{}},
     {:nodedown, :b, %{nodedown_reason: :disconnect}}}
  ]

  for {options, up, down} <- @shapes do
    test "R-EV0 the events of a subscription with #{inspect(options)}" do
      options = unquote(Macro.escape(options))

      run(
        fn ->
          start_isolated([:a, :b], connect: false)
          recorder = recorder(:a, fn -> subscribe(options) end)
          Cluster.run(:a, fn -> Node.connect(:b) && Node.disconnect(:b) end)
          settle()
          assert [up, down] = log(recorder)
          assert without_id(up) == unquote(Macro.escape(up))
          assert without_id(down) == unquote(Macro.escape(down))
        end,
        seeds: 50
      )
    end
  end

  defp subscribe(nil), do: :net_kernel.monitor_nodes(true)
  defp subscribe(options), do: :net_kernel.monitor_nodes(true, options)

  defp without_id({event, node, info}) when is_list(info), do: {event, node, Enum.map(info, &no_id/1)}
  defp without_id({event, node, info}) when is_map(info), do: {event, node, Map.new(info, &no_id/1)}
  defp without_id(event), do: event

  defp no_id({:connection_id, id}) when is_integer(id), do: {:connection_id, :id}
  defp no_id(other), do: other

  test "R-EV0 a connection has a number of its own on each side, which grows from one to the next" do
    run(fn ->
      start_isolated([:a, :b, :c], connect: false)

      recorders =
        for node <- [:a, :b], do: recorder(node, fn -> :net_kernel.monitor_nodes(true, [:connection_id]) end)

      # One has had a connection more than the other.
      Cluster.run(:a, fn -> Node.connect(:c) end)

      for _ <- 1..3 do
        Cluster.run(:a, fn -> Node.connect(:b) end)
        settle()
        Cluster.run(:b, fn -> Node.disconnect(:a) end)
        settle()
      end

      [ids, others] = for recorder <- recorders, do: ids(recorder)

      assert [
               {:nodeup, other},
               {:nodeup, x},
               {:nodedown, x},
               {:nodeup, y},
               {:nodedown, y},
               {:nodeup, z},
               {:nodedown, z}
             ] = ids

      assert other < x and x < y and y < z
      assert [{:nodeup, m}, {:nodedown, m}, {:nodeup, n}, {:nodedown, n}, {:nodeup, o}, {:nodedown, o}] = others
      assert m < n and n < o
      assert [m, n, o] != [x, y, z]
    end)
  end

  defp ids(recorder), do: for({event, _node, connection_id: id} <- log(recorder), do: {event, id})

  test "R-EV0 the numbers are those of nodes/2" do
    run(fn ->
      start_isolated([:a, :b], connect: false)
      recorder = recorder(:a, fn -> :net_kernel.monitor_nodes(true, %{connection_id: true}) end)
      assert Cluster.run(:a, fn -> Node.connect(:b) end)
      assert [{:nodeup, :b, %{connection_id: id}}] = log(recorder)
      infos = Cluster.run(:a, fn -> :erlang.nodes(:connected, %{connection_id: true, node_type: true}) end)
      assert infos == [{:b, %{connection_id: id, node_type: :visible}}]
    end)
  end

  test "R-EV0 bad options" do
    run(
      fn ->
        start_isolated([:a])

        Cluster.run(:a, fn ->
          assert :net_kernel.monitor_nodes(:maybe) != :ok
          assert :net_kernel.monitor_nodes(true, [:nonsense]) != :ok
          assert :net_kernel.monitor_nodes(true, node_type: :none) != :ok
          assert :net_kernel.monitor_nodes(false) == :ok
        end)
      end,
      seeds: 5
    )
  end

  test "R-EV1 each subscription counts, and one call ends all" do
    run(fn ->
      start_isolated([:a, :b], connect: false)

      recorder =
        recorder(:a, fn ->
          for _ <- 1..3, do: :ok = :net_kernel.monitor_nodes(true)
          :net_kernel.monitor_nodes(true, [:nodedown_reason])
        end)

      Cluster.run(:a, fn -> Node.connect(:b) end)
      assert log(recorder) == [{:nodeup, :b}, {:nodeup, :b}, {:nodeup, :b}, {:nodeup, :b, []}]
      tell(recorder, fn -> :ok = :net_kernel.monitor_nodes(false) end)
      Cluster.run(:a, fn -> Node.disconnect(:b) end)
      assert Enum.drop(log(recorder), 4) == [{:nodedown, :b, [nodedown_reason: :disconnect]}]
      tell(recorder, fn -> :ok = :net_kernel.monitor_nodes(false, [:nodedown_reason]) end)
      Cluster.run(:a, fn -> Node.connect(:b) end)
      assert length(log(recorder)) == 5
    end)
  end

  describe "R-EV2 reasons" do
    defp reasons(fault) do
      start_isolated([:a, :b], kernel: [net_ticktime: 4])
      warm(:a)

      recorders =
        for node <- [:a, :b], do: recorder(node, fn -> :net_kernel.monitor_nodes(true, [:nodedown_reason]) end)

      fault.()
      Process.sleep(20_000)
      recorders
    end

    defp reasons_of(recorders),
      do: for(recorder <- recorders, do: for({:nodedown, _, info} <- log(recorder), do: info))

    test "R-EV2 of who disconnects and of who is disconnected" do
      run(fn ->
        recorders = reasons(fn -> Cluster.run(:a, fn -> Node.disconnect(:b) end) end)
        assert reasons_of(recorders) == [[[nodedown_reason: :disconnect]], [[nodedown_reason: :connection_closed]]]
      end)
    end

    test "R-EV2 of both when both disconnect" do
      both = fn ->
        recorders =
          reasons(fn ->
            helpers = for node <- [:a, :b], do: recorder(node)
            for {helper, other} <- Enum.zip(helpers, [:b, :a]), do: let(helper, fn -> Node.disconnect(other) end)
            answers = for helper <- helpers, do: told(helper)
            assert true in answers
          end)

        for [[nodedown_reason: reason]] <- reasons_of(recorders), do: reason
      end

      assert outcomes(both) == [
               [:connection_closed, :disconnect],
               [:disconnect, :connection_closed],
               [:disconnect, :disconnect]
             ]
    end

    test "R-EV2 of a silent network" do
      run(fn ->
        recorders = reasons(fn -> Cluster.partition([:a], [:b], :tcp) end)

        assert reasons_of(recorders) == [
                 [[nodedown_reason: :net_tick_timeout]],
                 [[nodedown_reason: :net_tick_timeout]]
               ]
      end)
    end

    test "R-EV2 of the end of a node" do
      for end_of <- [&Cluster.crash_node/1, &Cluster.stop_node/1] do
        run(fn ->
          [one, _two] = reasons(fn -> end_of.(:b) end)

          assert log(one) == [{:nodedown, :a, []}] or
                   log(one) == [{:nodedown, :b, [nodedown_reason: :connection_closed]}]
        end)
      end
    end
  end

  test "R-EV3 nodeup and nodedown alternate, whatever happens" do
    run(
      fn ->
        start_isolated([:a, :b, :c], kernel: [net_ticktime: 4])
        recorders = for node <- [:a, :b, :c], do: recorder(node, fn -> :net_kernel.monitor_nodes(true) end)
        helpers = for node <- [:a, :b], do: recorder(node)

        for helper <- helpers do
          let(helper, fn ->
            for _ <- 1..10 do
              other = Enum.random([:a, :b, :c] -- [node()])
              Enum.random([&Node.connect/1, &Node.disconnect/1, &Node.ping/1]).(other)
            end
          end)
        end

        Cluster.partition_oneway(:a, :c)
        Process.sleep(Enum.random(1..10_000))
        Cluster.heal()
        for helper <- helpers, do: told(helper)
        settle()

        for recorder <- recorders,
            {_node, events} <- recorder |> log() |> Enum.group_by(&elem(&1, 1), &elem(&1, 0)) do
          assert events == Enum.take(Stream.cycle([:nodedown, :nodeup]), length(events))
        end
      end,
      seeds: 1..300
    )
  end
end
