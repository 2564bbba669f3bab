Code.require_file("support.exs", __DIR__)

defmodule Distribution.AliveTest do
  @moduledoc """
  Nodes that are no part of the distribution (`erlang:is_alive/0`).
  """
  use ExUnit.Case, async: true
  use Lockstep

  import Distribution.Support

  alias Lockstep.Cluster

  defp alone(fun) do
    Cluster.start_nodes([:b])
    [a] = Cluster.start_nodes([:a], distributed: false)
    Cluster.run(a, fun)
  end

  test "R-NA it has no name and knows of no other" do
    run(fn ->
      assert alone(fn -> {node(), node(self()), Node.alive?(), Node.list(), Node.self()} end) ==
               {:nonode@nohost, :nonode@nohost, false, [], :nonode@nohost}
    end)
  end

  test "R-NA it connects to nobody" do
    run(fn ->
      assert alone(fn -> {Node.connect(:b), Node.disconnect(:b), Node.ping(:b), Node.list()} end) ==
               {:ignored, :ignored, :pang, []}
    end)
  end

  test "R-NA monitors of other nodes are refused, and what is sent there is lost" do
    run(fn ->
      assert alone(fn ->
               {catch_error(Node.monitor(:b, true)), catch_error(Process.monitor({:name, :b})),
                send({:name, :b}, :lost), :rpc.call(:b, :erlang, :node, [])}
             end) == {:notalive, :badarg, :lost, {:badrpc, :nodedown}}
    end)
  end

  test "R-NA what is on it works" do
    run(fn ->
      assert alone(fn ->
               {:ok, pid} = Agent.start_link(fn -> 1 end, name: :agent)
               ref = Process.monitor({:agent, node()})
               send({:agent, node()}, :nothing)
               answer = {Agent.get({:agent, node()}, & &1), :rpc.call(node(), :erlang, :node, [])}
               Process.unlink(pid)
               Process.exit(pid, :kill)
               {answer, receive(do: ({:DOWN, ^ref, :process, object, reason} -> {object, reason}))}
             end) == {{1, :nonode@nohost}, {{:agent, :nonode@nohost}, :killed}}
    end)
  end

  test "R-NA what net_kernel says of itself" do
    run(fn ->
      assert alone(fn -> {:net_kernel.get_state(), Node.start(:a) |> elem(0), :net_kernel.get_state()} end) ==
               {%{started: :no}, :ok, %{started: :dynamic, name: :a, name_type: :static, name_domain: :shortnames}}

      Cluster.start_nodes([:"c@127.0.0.1"])

      assert Cluster.run(:"c@127.0.0.1", &:net_kernel.get_state/0) ==
               %{started: :static, name: :"c@127.0.0.1", name_type: :static, name_domain: :longnames}
    end)
  end

  test "R-NA nobody reaches it" do
    run(fn ->
      alone(fn -> :ok end)
      assert Cluster.run(:b, fn -> {Node.connect(:a), Node.ping(:a), Node.list()} end) == {false, :pang, []}
    end)
  end

  test "R-NA it can be made alive, and not alive again" do
    run(fn ->
      started =
        alone(fn ->
          {:ok, pid} = Node.start(:a)
          {:error, {:already_started, ^pid}} = Node.start(:a)
          {node(), Node.alive?(), Node.connect(:b), Node.list()}
        end)

      assert started == {:a, true, true, [:b]}
      assert Cluster.run(:b, fn -> Node.list() end) == [:a]
      assert Cluster.run(:a, fn -> {Node.stop(), Node.alive?(), Node.list(), Node.stop()} end) |> elem(0) == :ok
      assert Cluster.run(:a, fn -> {Node.alive?(), Node.list(), Node.stop()} end) == {false, [], {:error, :not_found}}
      Process.sleep(1000)
      assert Cluster.run(:b, fn -> {Node.list(), Node.stop()} end) == {[], {:error, :not_allowed}}
    end)
  end

  test "it can become alive under its own name only" do
    run(fn ->
      assert %Lockstep.ClusterError{reason: {:other_name, :a, :x}} = alone(fn -> catch_error(Node.start(:x)) end)
    end)
  end

  test "the control node is alive, and is made so once for who wants to" do
    run(fn ->
      Cluster.start_nodes([:b])
      assert Node.alive?()
      assert {:ok, pid} = Node.start(:master@localhost, :shortnames)
      assert {:error, {:already_started, ^pid}} = Node.start(:master@localhost, :shortnames)
      assert Node.stop() == :ok
    end)
  end
end
