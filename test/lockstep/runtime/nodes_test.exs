defmodule Lockstep.Runtime.NodesTest do
  use ExUnit.Case, async: true
  use Lockstep

  alias Lockstep.{Cluster, Runner}

  defp run(fun), do: Runner.run(fun, seeds: 20)

  test "a process sees its own node and the others" do
    run(fn ->
      [a, _b, _c] = Cluster.start_nodes([:a, :b, :c])

      assert {:a, [:b, :c], [:a], [:a, :b, :c], [], true} ==
               Cluster.run(a, fn ->
                 this_and_visible = Enum.sort(Node.list([:this, :visible]))

                 {node(), Enum.sort(Node.list()), Node.list(:this), this_and_visible, Node.list(:hidden),
                  Node.alive?()}
               end)

      assert_raise ArgumentError, fn -> Node.list(:nearby) end
    end)
  end

  test "a node that is stopped is no longer listed" do
    run(fn ->
      Cluster.start_nodes([:a, :b])
      Cluster.stop_node(:b)
      assert Cluster.run(:a, fn -> Node.list() end) == []
      Cluster.start_node(:b)
      assert Cluster.run(:a, fn -> Node.list() end) == [:b]
    end)
  end

  test "node/1 of pids and references" do
    run(fn ->
      Cluster.start_nodes([:a])
      {pid, ref} = Cluster.run(:a, fn -> {self(), make_ref()} end)
      assert node(pid) == :a
      assert node(self()) == :nonode@nohost
      assert node(ref) == :a
      assert_raise ArgumentError, fn -> apply(:erlang, :node, [:not_a_pid]) end
    end)
  end

  test "Node.monitor/2 reports a node that stops, once a registration" do
    run(fn ->
      Cluster.start_nodes([:a, :b])

      assert [{:nodedown, :b}, {:nodedown, :b}, :timeout] ==
               Cluster.run(:a, fn ->
                 for flag <- [true, true, true, false], do: true = Node.monitor(:b, flag)
                 Cluster.stop_node(:b)
                 for _ <- 1..3, do: Lockstep.recv(1000)
               end)
    end)
  end

  test "outside a run nodes are those of the VM" do
    assert node() == :nonode@nohost
    assert node(self()) == node()
    assert Node.list() == []
    refute Node.alive?()
  end
end
