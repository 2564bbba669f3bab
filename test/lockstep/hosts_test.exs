defmodule Lockstep.Hosts.Here do
  # Not under control: the node of the VM, and a count that is the node's own.
  def node, do: :erlang.node()
  def others, do: :erlang.processes() -- [self()]

  def count(key) do
    counter = :persistent_term.get({__MODULE__, key}, nil) || :counters.new(1, [])
    :persistent_term.put({__MODULE__, key}, counter)
    :counters.add(counter, 1, 1)
    :counters.get(counter, 1)
  end
end

defmodule Lockstep.HostsTest do
  use ExUnit.Case
  use Lockstep

  import ExUnit.CaptureIO

  alias Lockstep.{Failure, OptionError, Runner, Summary}
  alias Lockstep.Hosts.Here
  alias Lockstep.Runner.{Hosts, Visit}

  # A real distribution for as long as these tests take.
  setup_all do
    started? = start_port_mapper()
    {:ok, _} = Node.start(:"lockstep-#{System.unique_integer([:positive])}-#{System.pid()}@127.0.0.1")

    on_exit(fn ->
      :ok = Node.stop()
      if started?, do: port_mapper(["-kill"])
    end)
  end

  defp start_port_mapper do
    case :erl_epmd.names(~c"127.0.0.1") do
      {:ok, _names} -> false
      {:error, _reason} -> port_mapper(["-daemon"]) == 0
    end
  end

  defp port_mapper(arguments) do
    path = System.find_executable("epmd") || to_string(:code.root_dir()) <> "/bin/epmd"
    path |> System.cmd(arguments, stderr_to_stdout: true) |> elem(1)
  end

  defp start_host(paths \\ :code.get_path()) do
    arguments = [~c"-connect_all", ~c"false", ~c"-setcookie", Atom.to_charlist(Node.get_cookie())]
    arguments = arguments ++ Enum.flat_map(paths, &[~c"-pa", &1])
    {:ok, peer, host} = :peer.start(%{name: :peer.random_name(), host: ~c"127.0.0.1", args: arguments})
    on_exit(fn -> if Process.alive?(peer), do: :peer.stop(peer) end)
    host
  end

  # Four processes in any order, and where that was.
  defp order(test) do
    main = self()
    for n <- 1..4, do: spawn(fn -> Process.sleep(1) && send(main, n) end)
    order = for _ <- 1..4, do: receive(do: (n when is_integer(n) -> n))
    Lockstep.sometimes("the last not last", List.last(order) != 4)
    Lockstep.host(fn -> send(test, {:made_on, Here.node()}) end)
    order
  end

  defp made_on(nodes \\ MapSet.new()) do
    receive do
      {:made_on, node} -> nodes |> MapSet.put(node) |> made_on()
    after
      0 -> nodes
    end
  end

  defp comparable(%Summary{} = summary), do: %{summary | wall_ms: 0}
  defp comparable(%Failure{} = failure), do: {failure.seed, failure.run, failure.chosen, comparable(failure.summary)}

  defp explore(fun, options) do
    {outcome, what} = Runner.explore(fun, [shrink: false, failures: false] ++ options)
    {outcome, comparable(what)}
  end

  defp refused(fun \\ fn -> :ok end, options) do
    assert {:failed, %OptionError{option: :hosts} = error} = Runner.explore(fun, [seeds: 10] ++ options)
    Exception.message(error)
  end

  describe "hosts" do
    test "make runs, and the result is what it is without them" do
      test = self()
      hosts = [start_host(), start_host()]

      for strategy <- [:random, :portfolio] do
        alone = explore(fn -> order(test) end, seeds: 600, strategy: strategy)
        assert MapSet.to_list(made_on()) == [node()]
        assert explore(fn -> order(test) end, seeds: 600, strategy: strategy, hosts: hosts) == alone
        assert made_on() == MapSet.new([node() | hosts])
        assert {:ok, %{runs: 600, distinct: distinct}} = alone
        assert distinct > 20
      end

      backwards = fn -> if order(test) == [4, 3, 2, 1], do: flunk("backwards") end
      alone = explore(backwards, seeds: 5_000)
      assert {:failed, {seed, seed, _chosen, _summary}} = alone
      assert explore(backwards, seeds: 5_000, hosts: hosts) == alone
      assert explore(backwards, seeds: 5_000, hosts: hosts, concurrency: 1) == alone
      # A named function, of a module that is in no file.
      assert {:ok, %{runs: 50}} = explore(&__MODULE__.named/0, seeds: 50, hosts: hosts)
    end

    test "that is killed in the middle: others run its seeds" do
      test = self()
      host = start_host()
      other = start_host()

      fun = fn ->
        order(test)
        Lockstep.host(fn -> if Here.node() == host and Here.count(:runs) == 40, do: :erlang.halt(0, flush: false) end)
      end

      alone = explore(fun, seeds: 2_000, strategy: :random)
      assert MapSet.to_list(made_on()) == [node()]

      warned =
        capture_io(:stderr, fn ->
          assert explore(fun, seeds: 2_000, strategy: :random, hosts: [host, other]) == alone
        end)

      assert warned == "lockstep: the node #{host} is lost; others run its seeds\n"
      assert made_on() == MapSet.new([node(), host, other])
      assert host not in Node.list()
    end

    test "do nothing more when the sweep is over, or its caller is killed" do
      test = self()
      host = start_host()
      Runner.run(fn -> order(test) end, seeds: 20, hosts: [host])
      before = :erpc.call(host, Here, :others, [])
      started = fn -> :erpc.call(host, Here, :others, []) -- before end
      caller = spawn(fn -> Runner.run(fn -> order(test) end, seeds: 10_000_000, hosts: [host]) end)
      assert eventually(fn -> length(started.()) > 3 end)
      Process.exit(caller, :kill)
      assert eventually(fn -> started.() == [] end)

      # While the first seed fails here, others are at an endless loop there.
      Runner.run(
        fn -> :rand.uniform(1_000_000) |> then(&Lockstep.host(fn -> send(test, {:drawn, &1}) end)) end,
        drawing(1)
      )

      assert_received {:drawn, drawn}

      fun = fn ->
        there? = Lockstep.host(fn -> Here.node() == host end)

        cond do
          :rand.uniform(1_000_000) == drawn -> Lockstep.host(fn -> there? || :timer.sleep(500) end) && flunk("first")
          there? -> forever()
          true -> :ok
        end
      end

      options = [seeds: 1..10, strategy: :fifo, hosts: [host], watchdog: 50_000, shrink: false, failures: false]
      {micros, {:failed, %Failure{seed: 1, run: 1}}} = :timer.tc(fn -> Runner.explore(fun, options) end)
      assert micros < 30_000_000
      assert eventually(fn -> started.() == [] end)
    end
  end

  defp drawing(seed), do: [seed: seed, strategy: :fifo]
  defp forever, do: forever()

  defp eventually(fun, tries \\ 500)
  defp eventually(_fun, 0), do: false
  defp eventually(fun, tries), do: fun.() || (:timer.sleep(20) && eventually(fun, tries - 1))

  def named do
    main = self()
    spawn(fn -> send(main, :hello) end)
    receive do: (:hello -> :ok)
  end

  describe "what cannot take part is named:" do
    test "what is no other node" do
      assert refused(hosts: [node()]) =~ "this node takes part anyway"
      assert refused(hosts: [:"nobody@127.0.0.1"]) =~ ~r/:"nobody@127.0.0.1".*cannot be reached/
      assert {:error, error} = Lockstep.Options.validate([hosts: [:a]], %{})
      assert Exception.message(error) =~ "expected a list of names of nodes"
    end

    test "a node without Lockstep" do
      host = start_host(Enum.reject(:code.get_path(), &(to_string(&1) =~ "/lockstep/")))
      assert refused(hosts: [host]) =~ ~r/#{host}.*there is no Lockstep on that node/
    end

    test "another version" do
      here = Visit.versions()
      assert Hosts.same_versions(:a@b, here, here) == :ok

      for {change, text} <- [
            {%{lockstep: "0.0.1"}, "Lockstep is 0.0.1 on that node and #{here.lockstep} here"},
            {%{otp: "1"}, "Erlang/OTP is 1 on that node"},
            {%{elixir: "1.0"}, "Elixir is 1.0 on that node"},
            {%{code: "x"}, "the compiled code of Lockstep is x on that node"}
          ] do
        assert {:failed, error} = Hosts.same_versions(:a@b, here, Map.merge(here, change))
        assert Exception.message(error) =~ text
        assert Exception.message(error) =~ "a@b"
      end
    end

    test "a module of which there is no code to send" do
      forms = [
        {:attribute, 1, :module, :hosts_test_without_file},
        {:attribute, 1, :export, [run: 0]},
        {:function, 1, :run, 0, [{:clause, 1, [], [], [{:atom, 1, :ok}]}]}
      ]

      {:ok, module, code} = :compile.forms(forms, [:debug_info])
      {:module, ^module} = :code.load_binary(module, ~c"nofile", code)
      host = start_host()

      assert refused(Function.capture(:hosts_test_without_file, :run, 0), hosts: [host]) =~
               ~r/#{host}.*does not have :hosts_test_without_file/
    end

    test "a node on which the run is another" do
      host = start_host()
      differs = fn -> if Lockstep.host(fn -> Here.node() end) == host, do: Process.sleep(1) end
      assert refused(differs, seeds: 5..9, hosts: [host]) =~ ~r/#{host}.*the run of seed 5 is another on that node/
    end
  end
end
