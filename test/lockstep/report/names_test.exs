defmodule Lockstep.Report.NamesTest do
  use ExUnit.Case, async: true

  alias Lockstep.Report.{Names, References, Roles, Words}

  defp process(id, label, node \\ :nonode@nohost), do: %{id: id, node: node, label: label}

  test "nodes are called without their hosts, and told apart by the number where that is not enough" do
    assert Names.build([process(1, "S", :a@x), process(2, "S", :b@x)]) == %{1 => "a:S", 2 => "b:S"}
    assert Names.build([process(1, "S", :a@x), process(2, "S", :a@y)]) == %{1 => "a:S#1", 2 => "a:S#2"}
  end

  test "of a long name of a module the last part is enough, unless two end in the same" do
    assert Names.build([process(1, "MyApp.Session.Cache"), process(2, "KV.Cache")]) == %{
             1 => "MyApp.Session.Cache",
             2 => "KV.Cache"
           }

    assert Names.build([process(1, "MyApp.Session.Cache"), process(2, "KV.Replica")]) == %{
             1 => "Cache",
             2 => "KV.Replica"
           }

    assert Names.build([process(1, ":a_very_long_name_of_a.server")]) == %{1 => ":a_very_long_name_of_a.server"}
  end

  test "an address reaches the process of that name on that node" do
    names = Names.addresses([process(1, "KV.Replica", :a@x)])
    assert Words.text("send :hi to {KV.Replica, :a@x}", names) == "send :hi to a:KV.Replica"
  end

  test "processes without a name are called after what they were started for" do
    spawned = %{kind: :spawn, process: 0, object: 1, text: "spawn #PID<0.2.7168>: Agent.Server"}
    function = %{kind: :spawn, process: 0, object: 2, text: "spawn #PID<0.3.7168>: #Function<1.2/0 in A.b/1>"}

    assert [%{label: "Agent.Server"}, %{label: nil}, %{label: "Named"}] =
             Roles.label([process(1, nil), process(2, nil), process(3, "Named")], [spawned, function])
  end

  test "a table is called by its name, and what answers a call is a reply" do
    table = %{kind: :access, text: "ets.new(:hits, [:public]) = #Reference<0.1.2.3>"}

    call = %{
      kind: :send,
      text: ~S(send {:"$gen_call", {#PID<0.2.7168>, #Reference<0.1.2.4>}, :take} to #PID<0.3.7168>)
    }

    names = References.names([table, call])
    assert Words.text("ets.lookup(#Reference<0.1.2.3>, 1) = []", names) == "ets.lookup(:hits, 1) = []"
    assert Words.text("receive {#Reference<0.1.2.4>, :ok}", names) == "receive reply :ok"
    assert Words.text("receive {#Reference<0.1.2.5>, :ok}", names) == "receive result :ok"
  end
end
