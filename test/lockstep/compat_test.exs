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
    {:failed, failure} = Runner.explore(fun, seeds: 1)
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

  describe "opting in" do
    test "is needed: without it a module of the project is called" do
      # What `install/0` sets is for the whole VM, so the table is asked instead of a run without it.
      assert {:compat, Compat.LocalCluster} = Lockstep.Instrument.Calls.classify(LocalCluster, :start_nodes, 2)
      assert Compat.installed?()
      assert Compat.install() == :ok
    end

    test "modules that there are stay as they are" do
      assert Compat.StandIn.define(Lockstep.CompatTest.TestApp, Compat.LocalCluster) == :ok
      refute function_exported?(TestApp, :start_nodes, 2)
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
          {LocalCluster, :stop, [self()], "LocalCluster.stop/1"}
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
          {fn -> LocalCluster.start_link(:a) end, ArgumentError, "LocalCluster.start_link/2 needs a number of nodes"}
        ] do
      assert %^module{} = error = error(fun)
      assert Exception.message(error) =~ text
    end
  end
end
