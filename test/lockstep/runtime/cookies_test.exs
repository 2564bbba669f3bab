defmodule Lockstep.Runtime.CookiesTest do
  use Lockstep.Case, async: true

  alias Lockstep.Cluster

  defp on(node, fun), do: Cluster.run(node, fun)

  @tag lockstep: [seeds: 20]
  test "nodes with different cookies do not connect, and a connection that is there stays" do
    [a, b] = Cluster.start_nodes([:a, :b])
    assert on(a, fn -> :erlang.set_cookie(a, :secret) end)
    assert on(a, &Node.list/0) == [b]
    assert on(a, fn -> {Node.disconnect(b), Node.ping(b)} end) == {true, :pang}
    assert on(b, fn -> Node.ping(a) end) == :pang
    assert on(b, fn -> :erlang.set_cookie(:secret) end)
    assert on(b, fn -> Node.ping(a) end) == :pong
  end

  @tag lockstep: [seeds: 20]
  test "a cookie for one node is for that alone" do
    [a, b, c] = Cluster.start_nodes([:a, :b, :c], connect: false)
    on(a, fn -> :erlang.set_cookie(b, :secret) end)
    assert on(a, fn -> {:erlang.get_cookie(b), :erlang.get_cookie(c)} end) == {:secret, :erlang.get_cookie()}
    assert on(a, fn -> {Node.ping(b), Node.ping(c)} end) == {:pang, :pong}
    on(b, fn -> :erlang.set_cookie(a, :secret) end)
    assert on(a, fn -> Node.ping(b) end) == :pong
  end

  @tag lockstep: [seeds: 20]
  test "who takes back its cookie has the one of all others again, and so has one that is started anew" do
    [a, b] = Cluster.start_nodes([:a, :b], connect: false)
    before = on(a, &:erlang.get_cookie/0)
    on(a, fn -> :erlang.set_cookie(:mine) end)
    assert on(a, fn -> Node.ping(b) end) == :pang
    on(a, fn -> :erlang.set_cookie(before) end)
    assert on(a, fn -> Node.ping(b) end) == :pong
    on(a, fn -> :erlang.set_cookie(:mine) end)
    Cluster.crash_node(a)
    Cluster.start_node(a)
    assert on(a, &:erlang.get_cookie/0) == before
    assert on(a, fn -> Node.ping(b) end) == :pong
    Cluster.start_nodes([:c], cookie: before)
    assert on(:c, fn -> Node.ping(b) end) == :pong
  end

  @tag lockstep: [seeds: 200]
  test "nodes that crash at the same time do not keep one another from it" do
    [a, b] = Cluster.start_nodes([:a, :b])

    1..2
    |> Enum.zip([a, b])
    |> Enum.map(fn {_, node} -> Task.async(fn -> Cluster.crash_node(node) end) end)
    |> Task.await_many()

    assert Cluster.list_up() == []
  end
end
