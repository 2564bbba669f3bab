defmodule Lockstep.Runtime.PeerTest do
  use Lockstep.Case, async: true

  alias Lockstep.{Cluster, Runner}

  defmodule StopTestApp do
    use Application

    def start(:normal, test) do
      {:ok, pid} = Agent.start_link(fn -> test end)
      {:ok, pid, test}
    end

    def stop(test), do: send(test, {:stopped, node()})
  end

  defp crash(fun) do
    {:failed, failure} = Runner.explore(fun, seeds: 1)
    assert {:crash, kind, reason, _stack} = failure.error
    {kind, reason}
  end

  describe ":peer" do
    @tag lockstep: [seeds: 20]
    test "starts a node and stops it with its process" do
      assert {:ok, peer, node} = :peer.start(%{name: :worker, host: ~c"127.0.0.1"})
      assert node == :"worker@127.0.0.1"
      assert Cluster.list_up() == [node]
      assert :peer.get_state(peer) == :running
      assert Cluster.run(node, fn -> Node.self() end) == node
      assert :peer.stop(peer) == :ok
      assert Cluster.list_up() == []
      refute Process.alive?(peer)
      assert {:ok, _peer, ^node} = :peer.start(%{name: "worker", host: ~c"127.0.0.1"})
    end

    @tag lockstep: [seeds: 20]
    test "does not outlive its process, and its process nothing but its node" do
      {:ok, peer, node} = :peer.start(%{name: :worker})
      Process.exit(peer, :kill)
      Lockstep.eventually(fn -> assert Cluster.list_up() == [] end)
      {:ok, _peer, ^node} = :peer.start(%{name: :worker, shutdown: 1_000})
    end

    @tag lockstep: [seeds: 20]
    test "a linked one ends with the caller, another does not" do
      test = self()

      owner =
        spawn(fn ->
          {:ok, peer, one} = :peer.start_link(%{name: :one})
          {:ok, _, two} = :peer.start(%{name: :two})
          true = peer in elem(Process.info(self(), :links), 1)
          send(test, {one, two})
          receive do: (:stop -> :ok)
        end)

      assert_receive {:one@nohost, :two@nohost}
      assert Cluster.list_up() == [:one@nohost, :two@nohost]
      send(owner, :stop)
      Lockstep.eventually(fn -> assert Cluster.list_up() == [:two@nohost] end)
    end

    @tag lockstep: [seeds: 5]
    test "has names of its own, another each time" do
      names = for _ <- 1..3, do: :peer.random_name()
      assert Enum.uniq(names) == names
      assert Enum.all?(names, &match?(~c"peer-" ++ _, &1))
      assert ~c"mine-" ++ _ = :peer.random_name(:mine)
      assert {:ok, _, node} = :peer.start_link()
      assert Atom.to_string(node) =~ ~r/^peer-\d+-1@nohost$/
    end

    @tag lockstep: [seeds: 10]
    test "through a connection of its own it calls, casts and sends" do
      {:ok, peer, node} = :peer.start(%{name: :own, connection: :standard_io})
      test = self()
      assert :peer.call(peer, :erlang, :node, []) == node
      assert :peer.call(peer, Enum, :sum, [[1, 2]], 1_000) == 3
      assert catch_error(:peer.call(peer, :erlang, :error, [:oops])) == :oops
      assert catch_exit(:peer.call(peer, :erlang, :exit, [:oops])) == :oops
      assert catch_throw(:peer.call(peer, :erlang, :throw, [:oops])) == :oops
      assert {:timeout, _} = catch_exit(:peer.call(peer, :timer, :sleep, [500], 50))
      assert :peer.cast(peer, Kernel, :send, [test, :cast]) == :ok
      assert_receive :cast

      Cluster.spawn(node, fn ->
        Process.register(self(), :there)
        send(test, :ready)
        receive do: (message -> send(test, {:got, message}))
      end)

      assert_receive :ready
      assert :peer.send(peer, :there, :hello) == :ok
      assert_receive {:got, :hello}
      assert :peer.send(peer, test, :back) == :ok
      assert_receive :back
    end

    @tag lockstep: [seeds: 20]
    test "that connection is not one of the network's" do
      [a] = Cluster.start_nodes([:a])
      test = self()

      asker =
        Cluster.spawn(a, fn ->
          {:ok, peer, node} = :peer.start(%{name: :own, connection: :standard_io})
          send(test, {:started, node})
          receive do: (:cut -> :ok)
          send(test, {:called, :peer.call(peer, :erlang, :node, [])})
          Process.sleep(:infinity)
        end)

      assert_receive {:started, node}
      Cluster.partition([a], [node], :tcp)
      send(asker, :cut)
      assert_receive {:called, ^node}, 100_000
    end

    @tag lockstep: [seeds: 10]
    test "without one it does not" do
      {:ok, peer, _node} = :peer.start(%{name: :plain})
      assert catch_error(:peer.call(peer, :erlang, :node, [])) == :noconnection
      assert :peer.cast(peer, Kernel, :send, [self(), :cast]) == :ok
      refute_receive :cast
    end

    @tag lockstep: [seeds: 10]
    test "what becomes of it when its node goes down is up to peer_down:" do
      {:ok, stops, stop} = :peer.start(%{name: :stop})
      {:ok, continues, continue} = :peer.start(%{name: :continue, peer_down: :continue})
      {:ok, crashes, crash} = :peer.start(%{name: :crash, peer_down: :crash, connection: :standard_io})
      for pid <- [stops, continues, crashes], do: Process.monitor(pid)
      Enum.each([stop, continue, crash], &Cluster.stop_node/1)
      assert_receive {:DOWN, _, :process, ^stops, :normal}
      assert_receive {:DOWN, _, :process, ^crashes, {:exit_status, 0}}
      Lockstep.eventually(fn -> assert :peer.get_state(continues) == {:down, {:nodedown, continue}} end)
    end

    @tag lockstep: [seeds: 5]
    test "can be started without waiting" do
      test = self()
      assert {:ok, peer, :later@host} = :peer.start(%{name: :later, host: ~c"host", wait_boot: {test, :booted}})
      assert_receive {:booted, {:started, :later@host, ^peer}}
      assert {:ok, silent} = :peer.start(%{name: :silent, wait_boot: false})
      Lockstep.eventually(fn -> assert :peer.get_state(silent) == :running end)
    end

    test "of a name that is taken nothing is heard, but on a connection of its own" do
      again = fn options ->
        fn ->
          {:ok, _, _} = :peer.start(%{name: :same})
          :peer.start(Map.merge(%{name: :same}, options))
        end
      end

      assert crash(again.(%{})) == {:exit, :timeout}
      assert crash(again.(%{connection: 0})) == {:exit, {:boot_failed, {:exit_status, 1}}}
    end

    @tag lockstep: [seeds: 5]
    test "takes settings of applications from its command line" do
      {:ok, _, node} = :peer.start(%{name: :set, args: [~c"-mine", ~c"size", ~c"{1,two}", ~c"-pa", ~c"ebin"]})
      assert Cluster.run(node, fn -> Application.get_env(:mine, :size) end) == {1, :two}
    end

    @tag lockstep: [seeds: 20]
    test "is connected to the others, unless its command line says that it is not" do
      [one, two] = for name <- [:one, :two], {:ok, _, node} = :peer.start(%{name: name}), do: node
      {:ok, _, alone} = :peer.start(%{name: :alone, args: [~c"-connect_all", ~c"false"]})
      {:ok, _, other} = :peer.start(%{name: :other, args: [~c"-setcookie", ~c"secret"]})
      {:ok, _, hidden} = :peer.start(%{name: :hidden, args: [~c"-hidden"]})
      {:ok, _, last} = :peer.start(%{name: :last})
      lists = for node <- [one, two, last, alone, other, hidden], do: Enum.sort(Cluster.run(node, &Node.list/0))
      assert lists == [[last, two], [last, one], [one, two], [], [], []]
      assert Cluster.run(alone, fn -> Application.get_env(:kernel, :connect_all) end) == false
      assert Cluster.run(other, fn -> {:erlang.get_cookie(), Node.ping(one)} end) == {:secret, :pang}
    end

    @tag lockstep: [seeds: 20]
    test "that is started by a node goes with it, and so when it is cut off from it" do
      [a] = Cluster.start_nodes([:a])
      {:ok, _, tied} = Cluster.run(a, fn -> :peer.start(%{name: :tied}) end)
      {:ok, _, own} = Cluster.run(a, fn -> :peer.start(%{name: :own, connection: :standard_io}) end)
      assert Cluster.run(a, fn -> Enum.sort(Node.list()) end) == [own, tied]
      Cluster.spawn(tied, fn -> Node.disconnect(a) end)
      Lockstep.eventually(fn -> assert Cluster.list_up() == [a, own] end)
      Cluster.crash_node(a)
      Lockstep.eventually(fn -> assert Cluster.list_up() == [] end)
    end

    @tag lockstep: [seeds: 10]
    test "is halted, or shut down in good order if it is given time for that" do
      app = {:application, :stop_test_app, vsn: ~c"1", applications: [:kernel], mod: {StopTestApp, self()}}

      [halted, stopped] =
        for {name, shutdown} <- [halted: :halt, stopped: 2_000] do
          {:ok, peer, node} = :peer.start(%{name: name, shutdown: shutdown})
          Cluster.run(node, fn -> {:application.load(app), :application.start(:stop_test_app)} end)
          :ok = :peer.stop(peer)
          node
        end

      assert_receive {:stopped, ^stopped}
      refute_received {:stopped, ^halted}
      assert Cluster.list_up() == []
    end

    test "refuses what a real one would refuse, and what cannot be simulated" do
      for {options, expected} <- [
            {%{name: :a, args: [:b]}, {:invalid_arg, :b}},
            {%{name: :a, shutdown: 5}, {:shutdown, 5}}
          ] do
        assert {:error, %ErlangError{original: ^expected}} = crash(fn -> :peer.start(options) end) |> normal()
      end

      for {options, text} <- [
            {%{}, "a simulated peer needs a name"},
            {%{name: :a, env: [{~c"A", ~c"b"}]}, "a simulated peer cannot have env: "},
            {%{name: :a, args: [~c"-eval", ~c"ok."]}, "a simulated node cannot be started with -eval ok.;"}
          ] do
        {:failed, failure} = Runner.explore(fn -> :peer.start(options) end, seeds: 1)
        assert Exception.message(failure) =~ text
      end
    end
  end

  defp normal({:error, reason}), do: {:error, Exception.normalize(:error, reason)}

  # In words that no compiler sees through: it would say of each call that the module is deprecated.
  defp slave, do: String.to_existing_atom("slave")

  describe ":slave" do
    @tag lockstep: [seeds: 10]
    test "starts and stops nodes" do
      assert slave().start(:localhost, :worker) == {:ok, :worker@localhost}
      assert slave().start(~c"localhost", ~c"worker") == {:error, {:already_running, :worker@localhost}}
      assert slave().start("127.0.0.1") == {:ok, :"nonode@127.0.0.1"}
      assert slave().start(:localhost, :set, ~c"-mine size 3") == {:ok, :set@localhost}
      assert Cluster.run(:set@localhost, fn -> Application.get_env(:mine, :size) end) == 3
      assert slave().stop(:worker@localhost) == :ok
      assert slave().stop(:nobody@localhost) == :ok
      assert Cluster.list_up() == [:"nonode@127.0.0.1", :set@localhost]
    end

    @tag lockstep: [seeds: 20]
    test "a linked node ends with the process, and not the other way round" do
      test = self()

      owner =
        spawn(fn ->
          {:ok, one} = slave().start_link(:localhost, :one)
          {:ok, two} = slave().start_link(:localhost, :two, ~c"")
          :ok = slave().stop(one)
          send(test, two)
          receive do: (:stop -> :ok)
        end)

      assert_receive :two@localhost
      assert Process.alive?(owner)
      assert Cluster.list_up() == [:two@localhost]
      Process.exit(owner, :kill)
      Lockstep.eventually(fn -> assert Cluster.list_up() == [] end)
    end

    @tag lockstep: [seeds: 20]
    test "nodes end when the one that has started them does" do
      Cluster.start_nodes([:a])
      assert Cluster.run(:a, fn -> slave().start(:host, :of_a) end) == {:ok, :of_a@host}
      assert {:ok, _, :peer@nohost} = Cluster.run(:a, fn -> :peer.start(%{name: :peer}) end)
      assert Cluster.list_up() == [:a, :of_a@host, :peer@nohost]
      Cluster.stop_node(:a)
      Lockstep.eventually(fn -> assert Cluster.list_up() == [] end)
    end
  end
end
