defmodule Lockstep.CompatTest do
  use Lockstep.Case, async: true

  alias Lockstep.{Cluster, Compat, OptionError, OutsideRunError, Runner}

  # No project of the suite has the packages: the modules that stand in for them are made before this file goes on.
  Compat.install()

  defmodule TestApp do
    use Application

    def start(:normal, []) do
      settings = Application.get_all_env(:compat_test_app) |> Enum.sort()
      Agent.start_link(fn -> {node(), settings} end, name: :compat_test_app)
    end
  end

  setup_all do
    # Two applications as a project has them: the VM knows of them, and has not started them.
    for {name, mod} <- [compat_test_app: [mod: {TestApp, []}], compat_test_other: []] do
      keys = [vsn: ~c"1", applications: [:kernel, :stdlib], env: [size: 1, colour: :red]] ++ mod
      :ok = :application.load({:application, name, keys})
      on_exit(fn -> :application.unload(name) end)
    end

    :ok
  end

  defp error(fun) do
    {:failed, failure} = Runner.explore(fun, seeds: 1, shrink: false)
    assert {:crash, :error, error, _stack} = failure.error
    error
  end

  defp settings(node), do: Cluster.run(node, fn -> Agent.get(:compat_test_app, & &1) end)

  describe "LocalCluster, first version" do
    @tag lockstep: [seeds: 20]
    test "starts nodes with a prefix and a number, and stops them" do
      assert LocalCluster.start() == :ok
      assert LocalCluster.start_nodes("users", 2, applications: []) == [:"users1@127.0.0.1", :"users2@127.0.0.1"]
      assert LocalCluster.start_nodes(:more, 1, applications: []) == [:"more1@127.0.0.1"]
      assert Cluster.list_up() == [:"users1@127.0.0.1", :"users2@127.0.0.1", :"more1@127.0.0.1"]
      assert LocalCluster.stop_nodes([:"users1@127.0.0.1", :"gone@127.0.0.1"]) == :ok
      assert Cluster.list_up() == [:"users2@127.0.0.1", :"more1@127.0.0.1"]
      assert LocalCluster.stop() == :ok
      assert Cluster.list_up() == []
      assert LocalCluster.start_nodes("users", 0) == []
    end

    @tag lockstep: [seeds: 5]
    test "starts all applications that are loaded, with the environment of the caller's node" do
      Application.put_env(:compat_test_app, :colour, :green)
      nodes = LocalCluster.start_nodes("app", 2, environment: [compat_test_app: [size: 9]])

      for node <- nodes do
        assert settings(node) == {node, [colour: :green, size: 9]}
        assert Cluster.run(node, fn -> Application.get_env(:compat_test_other, :colour) end) == :red
        started = for {app, _, _} <- Cluster.run(node, fn -> Application.started_applications() end), do: app
        assert :compat_test_other in started
      end

      assert Application.get_env(:compat_test_app, :size) == 1
      refute Process.whereis(:compat_test_app)
    end

    @tag lockstep: [seeds: 5]
    test "starts the applications that it is given, and no others" do
      [node] = LocalCluster.start_nodes("app", 1, applications: [:compat_test_other], files: [__ENV__.file])
      refute Cluster.run(node, fn -> Process.whereis(:compat_test_app) end)
      started = for {app, _, _} <- Cluster.run(node, fn -> Application.started_applications() end), do: app
      assert :compat_test_other in started
    end

    @tag lockstep: [seeds: 20]
    test "nodes end with the process that has started them" do
      test = self()

      owner =
        spawn(fn ->
          send(test, LocalCluster.start_nodes("mine", 2, applications: []))
          receive do: (:stop -> :ok)
        end)

      assert_receive [_, _]
      assert length(Cluster.list_up()) == 2
      send(owner, :stop)
      Lockstep.eventually(fn -> assert Cluster.list_up() == [] end)
    end

    test "a name that is taken is an error, and so is an application that does not start" do
      taken = fn ->
        LocalCluster.start_nodes("a", 1, applications: [])
        LocalCluster.start_nodes("a", 2, applications: [])
      end

      assert %ArgumentError{message: ~s(LocalCluster.start_nodes/3: :"a1@127.0.0.1" is up already;) <> _} =
               error(taken)

      missing = fn -> LocalCluster.start_nodes("a", 1, applications: [:compat_test_missing]) end
      assert Exception.message(error(missing)) =~ ~r/:compat_test_missing could not be started on :"a1@127.0.0.1"/
    end
  end

  describe "LocalCluster, second version" do
    @tag lockstep: [seeds: 20]
    test "a process has the nodes" do
      assert {:ok, cluster} = LocalCluster.start_link(2, prefix: "c", applications: [:compat_test_app])
      assert {:ok, [:"c1@127.0.0.1", :"c2@127.0.0.1"] = [node | _] = nodes} = LocalCluster.nodes(cluster)
      assert {:ok, [one, two] = pids} = LocalCluster.pids(cluster)
      assert Enum.all?(pids, &Process.alive?/1)
      assert LocalCluster.members(cluster) == {:ok, Enum.zip_with(pids, nodes, &{:member, &1, &2})}
      assert {^node, [colour: :red, size: 1]} = settings(node)

      assert {:ok, [{:member, _, :"c3@127.0.0.1"} = third]} = LocalCluster.start(cluster, 1, applications: [])
      assert LocalCluster.stop(cluster, node) == :ok
      assert Cluster.list_up() == [:"c2@127.0.0.1", :"c3@127.0.0.1"]
      assert LocalCluster.stop(cluster, third) == :ok
      assert LocalCluster.nodes(cluster) == {:ok, [:"c2@127.0.0.1"]}
      refute Process.alive?(one)
      assert LocalCluster.stop(cluster) == :ok
      Lockstep.eventually(fn -> assert Cluster.list_up() == [] end)
      refute Process.alive?(two)
    end

    @tag lockstep: [seeds: 10]
    test "has a prefix and a name if it is given none, and stands below a supervisor" do
      start_supervised!({LocalCluster, {2, [name: :cluster, applications: []]}})
      assert {:ok, [first, _]} = LocalCluster.nodes(:cluster)
      assert Atom.to_string(first) =~ ~r/^local-cluster-\d+-1@127.0.0.1$/
      {:ok, other} = LocalCluster.start_link(1, applications: [])
      assert {:ok, [_other]} = LocalCluster.nodes(other)
      assert length(Cluster.list_up()) == 3
      stop_supervised!(LocalCluster)
      Lockstep.eventually(fn -> assert length(Cluster.list_up()) == 1 end)
    end
  end

  # Waits until each of the nodes sees these and no others.
  defp assert_sees(sights) do
    for {node, others} <- sights do
      Lockstep.eventually(fn -> assert Enum.sort(Cluster.run(node, &Node.list/0)) == Enum.sort(others) end)
    end
  end

  defp ping(from, to), do: Cluster.run(from, fn -> Node.ping(to) end)

  describe "Schism" do
    @tag lockstep: [seeds: 20]
    test "cuts nodes off from all others but the caller's, and joins them again" do
      [n1, n2, n3] = nodes = LocalCluster.start_nodes("n", 3, applications: [])
      assert_sees([{n1, [n2, n3]}, {n2, [n1, n3]}, {n3, [n1, n2]}])
      test = self()

      Cluster.spawn(n2, fn ->
        true = Node.monitor(n1, true)
        send(test, :watching)
        receive do: ({:nodedown, node} -> send(test, {:lost, node}))
      end)

      assert_receive :watching
      assert Schism.partition([n1]) == [n1]
      assert_receive {:lost, ^n1}
      assert_sees([{n1, []}, {n2, [n3]}, {n3, [n2]}])
      assert {ping(n1, n2), ping(n3, n1), ping(n2, n3)} == {:pang, :pang, :pong}
      assert Node.ping(n1) == :pong
      assert Cluster.run(n1, fn -> node() end) == n1
      assert Schism.heal(nodes) == nodes
      assert_sees([{n1, [n2, n3]}, {n2, [n1, n3]}, {n3, [n1, n2]}])
    end

    @tag lockstep: [seeds: 20]
    test "nodes of one partition see one another, and there can be several" do
      [n1, n2, n3, n4, n5] = LocalCluster.start_nodes("n", 5, applications: [])
      Schism.partition([n1, n3])
      Schism.partition([n4])
      Schism.partition([n2, n5], "two and five")
      assert_sees([{n1, [n3]}, {n3, [n1]}, {n4, []}, {n2, [n5]}, {n5, [n2]}])
      Schism.heal([n1, n3])
      assert_sees([{n1, [n3]}, {n2, [n5]}, {n4, []}])
      Schism.heal([n2, n4, n5], :erlang.get_cookie())
      assert_sees(for node <- [n1, n2, n3, n4, n5], do: {node, [n1, n2, n3, n4, n5] -- [node]})
    end

    @tag lockstep: [seeds: 10]
    test "a node that is started meanwhile does not reach them" do
      [n1, n2] = LocalCluster.start_nodes("n", 2, applications: [])
      Schism.partition([n1])
      [m1] = LocalCluster.start_nodes("m", 1, applications: [])
      assert_sees([{n1, []}, {n2, [m1]}, {m1, [n2]}])
      Schism.heal([n1])
      assert_sees([{m1, [n1, n2]}])
    end
  end

  # In words that no compiler sees through: it would say of each call that the module is gone.
  defp pg2, do: String.to_existing_atom("pg2")

  describe ":pg2" do
    defp member(node) do
      pid = Cluster.spawn(node, fn -> Process.sleep(:infinity) end)
      pid
    end

    @tag lockstep: [seeds: 20]
    test "groups are created, joined, left and deleted" do
      assert pg2().which_groups() == []
      assert pg2().get_members(:a) == {:error, {:no_such_group, :a}}
      assert pg2().join(:a, self()) == {:error, {:no_such_group, :a}}
      assert pg2().leave(:a, self()) == {:error, {:no_such_group, :a}}
      assert pg2().get_closest_pid(:a) == {:error, {:no_such_group, :a}}
      assert pg2().create(:a) == :ok
      assert pg2().create(:a) == :ok
      assert pg2().create({:b, 1}) == :ok
      assert Enum.sort(pg2().which_groups()) == [:a, {:b, 1}]
      assert pg2().get_members(:a) == []
      assert pg2().get_closest_pid(:a) == {:error, {:no_process, :a}}
      assert pg2().join(:a, self()) == :ok
      assert pg2().join(:a, self()) == :ok
      assert pg2().get_members(:a) == [self(), self()]
      assert pg2().get_local_members(:a) == [self(), self()]
      assert pg2().get_closest_pid(:a) == self()
      assert pg2().leave(:a, self()) == :ok
      assert pg2().get_members(:a) == [self()]
      assert pg2().delete(:a) == :ok
      assert pg2().get_members(:a) == {:error, {:no_such_group, :a}}
      assert pg2().which_groups() == [{:b, 1}]
    end

    @tag lockstep: [seeds: 20]
    test "a member that ends is one no more" do
      :ok = pg2().create(:a)
      pid = spawn(fn -> receive do: (:stop -> :ok) end)
      :ok = pg2().join(:a, pid)
      send(pid, :stop)
      Lockstep.eventually(fn -> assert pg2().get_members(:a) == [] end)
    end

    @tag lockstep: [seeds: 20]
    test "groups are the same on all nodes, and what is lost comes back" do
      [n1, n2] = nodes = LocalCluster.start_nodes("n", 2, applications: [])
      for node <- nodes, do: assert(Cluster.run(node, fn -> pg2().create(:users) end) == :ok)
      [one, two] = for node <- nodes, do: member(node)
      for {node, pid} <- [{n1, one}, {n2, two}], do: Cluster.run(node, fn -> :ok = pg2().join(:users, pid) end)
      members = fn node -> Enum.sort(Cluster.run(node, fn -> pg2().get_members(:users) end)) end
      for node <- nodes, do: Lockstep.eventually(fn -> assert members.(node) == Enum.sort([one, two]) end)

      assert Cluster.run(n1, fn -> {pg2().get_local_members(:users), pg2().get_closest_pid(:users)} end) ==
               {[one], one}

      # From another node, too.
      more = member(n2)
      assert Cluster.run(n1, fn -> pg2().join(:users, more) end) == :ok
      Lockstep.eventually(fn -> assert members.(n1) == Enum.sort([one, two, more]) end)
      assert Cluster.run(n1, fn -> pg2().leave(:users, more) end) == :ok
      Lockstep.eventually(fn -> assert members.(n1) == Enum.sort([one, two]) end)

      Schism.partition([n1])
      Lockstep.eventually(fn -> assert {members.(n1), members.(n2)} == {[one], [two]} end)
      Schism.heal([n1])
      Lockstep.eventually(fn -> assert members.(n1) == members.(n2) end)
      assert members.(n1) == Enum.sort([one, two])
    end
  end

  describe "opting in" do
    test "is needed: without it a module of the project is called" do
      # What `install/0` sets is for the whole VM, so the table is asked instead of a run without it.
      assert {:compat, Compat.LocalCluster} = Lockstep.Instrument.Calls.classify(LocalCluster, :start_nodes, 2)
      assert Compat.installed?()
      assert Compat.install() == :ok
    end

    test "modules that there are stay as they are" do
      assert Compat.StandIn.define(Lockstep.CompatTest.TestApp, Compat.Schism) == :ok
      refute function_exported?(TestApp, :partition, 1)
    end

    @tag lockstep: [seeds: 3]
    test "captures and dynamic calls reach them, too" do
      start = &LocalCluster.start_nodes/3
      assert [:"x1@127.0.0.1"] = start.("x", 1, applications: [])
      assert [:"y1@127.0.0.1"] = apply(LocalCluster, :start_nodes, ["y", 1, [applications: []]])
    end
  end

  test "outside of a run there is nothing to start or to cut" do
    assert LocalCluster.start() == :ok
    assert LocalCluster.stop() == :ok

    for {module, function, args, call} <- [
          {LocalCluster, :start_nodes, ["a", 1], "LocalCluster.start_nodes/3"},
          {LocalCluster, :stop_nodes, [[]], "LocalCluster.stop_nodes/1"},
          {LocalCluster, :start_link, [1], "LocalCluster.start_link/2"},
          {LocalCluster, :nodes, [self()], "LocalCluster.nodes/1"},
          {LocalCluster, :pids, [self()], "LocalCluster.pids/1"},
          {LocalCluster, :stop, [self()], "LocalCluster.stop/1"},
          {Schism, :partition, [[:a]], "Schism.partition/1"},
          {Schism, :partition, [[:a], "x"], "Schism.partition/2"},
          {Schism, :heal, [[:a]], "Schism.heal/1"},
          {Schism, :heal, [[:a], :x], "Schism.heal/2"}
        ] do
      error = assert_raise OutsideRunError, fn -> apply(module, function, args) end
      assert error.call == call
    end
  end

  test "bad input" do
    for {fun, module, text} <- [
          {fn -> LocalCluster.start_nodes(1, 2) end, OptionError,
           "for option :prefix (from LocalCluster.start_nodes/3)"},
          {fn -> LocalCluster.start_nodes("a", -1) end, ArgumentError, "needs a number of nodes, got -1"},
          {fn -> LocalCluster.start_nodes("a", 1, app_names: []) end, OptionError, "the options are :applications"},
          {fn -> LocalCluster.start_nodes("a", 1, applications: :a) end, OptionError,
           "expected a list of applications"},
          {fn -> LocalCluster.start_nodes("a", 1, environment: [:a]) end, OptionError,
           "expected settings by application"},
          {fn -> LocalCluster.start_nodes("a", 1, files: ["a", 1]) end, OptionError, "expected a list of paths"},
          {fn -> LocalCluster.start_nodes("a", 1, :b) end, OptionError, "expected a keyword list"},
          {fn -> LocalCluster.stop_nodes(:a) end, ArgumentError, "needs a list of nodes, got :a"},
          {fn -> LocalCluster.start_link(:a) end, ArgumentError, "LocalCluster.start_link/2 needs a number of nodes"},
          {fn -> Schism.partition(:a) end, ArgumentError, "Schism.partition/1 needs a list of nodes, got :a"},
          {fn -> Schism.partition([:a], :b) end, ArgumentError, "needs a name as a string, got :b"},
          {fn -> Schism.heal(["a"]) end, ArgumentError, ~s(Schism.heal/1 needs a list of nodes, got ["a"])},
          {fn -> Schism.heal([:a], "b") end, ArgumentError, ~s(needs a cookie as an atom, got "b")}
        ] do
      assert %^module{} = error = error(fun)
      assert Exception.message(error) =~ text
    end
  end
end
