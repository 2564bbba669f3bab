defmodule Lockstep.Runtime.ServicesTest do
  # What a node has without having been asked for it: a group leader, a logger, an application controller, timers.
  use ExUnit.Case, async: true
  use Lockstep

  import ExUnit.CaptureIO
  import ExUnit.CaptureLog
  require Logger

  alias Lockstep.{Cluster, Runner}

  defp run(fun), do: Runner.run(fun, seeds: 20, escapes: :raise)

  defp fail(fun) do
    {:failed, failure} =
      Runner.explore(
        fn ->
          fun.()
          raise "to see the report"
        end,
        seeds: 1
      )

    failure
  end

  describe "output" do
    test "of a sweep that passes is not shown" do
      output =
        capture_io(fn ->
          run(fn ->
            IO.puts("hello")
            IO.inspect(self())
            :io.format("~p~n", [1])
            assert IO.gets("name? ") == :eof
          end)
        end)

      assert output == ""
    end

    test "of a single run that passes is shown after it" do
      one = fn -> Runner.run(fn -> IO.puts("hello") end, seed: 5) end
      assert capture_io(one) == "hello\n"
    end

    test "of a run that fails is in the report" do
      failure =
        fail(fn ->
          IO.puts("printed by main")
          spawn(fn -> IO.puts(:stderr, "printed by another") end)
          Process.sleep(1)
        end)

      assert ["printed by main\n", "printed by another\n"] = for(%{text: text} <- failure.result.output, do: text)
      assert Exception.message(failure) =~ "printed by another"
    end

    test "is captured as ever" do
      run(fn ->
        output =
          capture_io(fn ->
            IO.puts("a")
            spawn(fn -> IO.puts("b") end)
            Process.sleep(1000)
          end)

        assert output == "a\nb\n"
        assert capture_io(:stderr, fn -> IO.puts(:stderr, "c") end) == "c\n"
        assert capture_io("in\n", fn -> IO.write(IO.gets("? ")) end) == "? in\n"
      end)
    end

    test "goes to the group leader, which processes inherit" do
      run(fn ->
        {:ok, device} = StringIO.open("first\nsecond")
        assert IO.read(device, :line) == "first\n"
        before = Process.group_leader()
        Process.group_leader(self(), device)
        test = self()
        spawn(fn -> send(test, {:leader, Process.group_leader()}) end)
        assert_receive {:leader, ^device}
        assert Process.info(self(), :group_leader) == {:group_leader, device}
        IO.write("written")
        assert StringIO.contents(device) == {"second", "written"}
        assert before == Process.whereis(:user)
      end)
    end
  end

  describe "log messages" do
    test "are in the report of a run that fails, with who logged them" do
      failure =
        fail(fn ->
          Logger.warning("a warning")
          {:ok, _} = Task.start(fn -> raise "a crash" end)
          Process.sleep(1)
        end)

      message = Exception.message(failure)
      assert message =~ "[warning] main: a warning"
      assert message =~ ~r/\[error\] #\d+: Task #1 started from main terminating/
      assert message =~ "(RuntimeError) a crash"
    end

    test "are captured as ever" do
      run(fn ->
        log =
          capture_log(fn ->
            Logger.error("bad #{inspect(self())}")
            :logger.warning("w ~p", [1])
          end)

        assert log =~ "[error] bad #PID<"
        assert log =~ ~r/00:00:00\.\d\d\d \[warn(ing)?\] +w 1/

        quiet =
          capture_log([level: :warning], fn ->
            Logger.info("too quiet")
            {value, inner} = with_log(fn -> Logger.error("inner") && :value end)
            assert {value, inner =~ "inner"} == {:value, true}
          end)

        refute quiet =~ "too quiet"
        assert quiet =~ "inner"
      end)
    end

    test "reach the handlers that a program adds" do
      run(fn ->
        :ok = :logger.add_handler(:mine, Lockstep.Runtime.ServicesTest.Handler, %{to: self(), level: :warning})

        assert {:error, {:already_exist, :mine}} =
                 :logger.add_handler(:mine, Lockstep.Runtime.ServicesTest.Handler, %{})

        Logger.error("one")
        Logger.info("two")
        :logger.log(:error, %{report: 3})
        assert_receive {:logged, :error, {:string, "one"}}
        assert_receive {:logged, :error, {:report, %{report: 3}}}
        refute_received {:logged, _, _}
        assert :logger.get_handler_ids() == [:mine]
        assert :ok = :logger.remove_handler(:mine)
        assert {:error, {:not_found, :mine}} = :logger.remove_handler(:mine)
      end)
    end
  end

  defmodule Handler do
    def log(event, config), do: send(config.to, {:logged, event.level, event.msg})
  end

  test "what dbg and binary writes print, and what is read of bytes, is the run's" do
    sweep = fn -> assert {:failed, _} = Runner.explore(fn -> dbg(1 + 1) == 3 || exit(:wrong) end, seeds: 1) end
    assert capture_io(sweep) == ""

    run(fn ->
      assert capture_io(fn -> dbg(1 + 1) end) =~ "1 + 1"
      assert capture_io(fn -> IO.binwrite(<<?a, 255>>) && IO.binwrite(:stdio, ["b"]) end) == "a\xC3\xBFb"
      assert capture_io("one\ntwo", fn -> send(self(), {IO.binread(:stdio, :line), IO.binread(:stdio, 2)}) end) == ""
      assert_received {"one\n", "tw"}
      {:ok, device} = StringIO.open("in\n")

      assert {:file.read_line(device), :file.read(device, 1), :file.write(device, "out")} ==
               {{:ok, "in\n"}, :eof, :ok}

      assert :file.write(device, [:no_byte]) == {:error, :badarg}
      assert StringIO.contents(device) == {"", "out"}
    end)
  end

  describe "applications" do
    test "have an environment of each node" do
      run(fn ->
        [a, b] = Cluster.start_nodes([:a, :b])
        assert Application.get_env(:lockstep, :nothing) == nil
        Cluster.run(a, fn -> Application.put_env(:mine, :key, 1) end)
        assert Cluster.run(a, fn -> Application.fetch_env!(:mine, :key) end) == 1
        assert Cluster.run(b, fn -> Application.fetch_env(:mine, :key) end) == :error
        Cluster.run(a, fn -> Application.delete_env(:mine, :key) end)
        assert Cluster.run(a, fn -> Application.get_all_env(:mine) end) == []
      end)

      assert Application.fetch_env(:mine, :key) == :error
    end

    test "of the VM count as started" do
      run(fn ->
        assert Application.ensure_all_started(:logger) == {:ok, []}
        assert {:kernel, _, _} = List.keyfind(Application.started_applications(), :kernel, 0)
        assert Application.spec(:stdlib, :vsn) == :application.get_key(:stdlib, :vsn) |> elem(1)
        assert {:error, {~c"no such file or directory", _}} = :application.load(:no_such_application)
      end)
    end

    # Whether or not the VM itself had any use for them so far. Later releases of Mix hide what a project does not name.
    test "that a VM may live on bring no processes" do
      supervisors = [sasl: :sasl_sup, ssl: :ssl_sup, inets: :inets_sup, runtime_tools: :runtime_tools_sup]
      installed = for {app, _} = entry <- supervisors, :code.lib_dir(app) != {:error, :bad_name}, do: entry

      run(fn ->
        for {app, supervisor} <- installed do
          assert {:ok, [_ | _]} = Application.ensure_all_started(app)
          assert List.keymember?(Application.started_applications(), app, 0)
          assert Process.whereis(supervisor) == nil
        end
      end)
    end

    test "are told where OTP is, as by every VM" do
      flags = [:root, :progname, :home, :no_such_flag]
      outside = Enum.map(flags, &:init.get_argument/1)
      run(fn -> assert Enum.map(flags, &:init.get_argument/1) == outside end)
    end

    test "start their own trees on every node, and stop" do
      app =
        {:application, :tree,
         [vsn: ~c"1", applications: [:kernel], mod: {Lockstep.Runtime.ServicesTest.Tree, :argument}, env: [size: 2]]}

      run(fn ->
        for node <- Cluster.start_nodes([:a, :b]) do
          Cluster.run(node, fn ->
            :ok = :application.load(app)
            :ok = Application.start(:tree)
            assert {:error, {:already_started, :tree}} = Application.start(:tree)
            assert Agent.get(:tree_agent, & &1) == {:argument, 2, node()}
            assert :application.get_application(Process.whereis(:tree_agent)) == {:ok, :tree}
          end)
        end

        Cluster.run(:a, fn -> :ok = Application.stop(:tree) end)
        assert Cluster.run(:a, fn -> Process.whereis(:tree_agent) end) == nil
        assert Cluster.run(:b, fn -> Agent.get(:tree_agent, &elem(&1, 2)) end) == :b
      end)
    end
  end

  test "a permanent application that ends takes its node along" do
    app =
      {:application, :tree, [applications: [:kernel], mod: {Lockstep.Runtime.ServicesTest.Tree, 1}, env: [size: 2]]}

    for {type, left} <- [permanent: [:b], temporary: [:a, :b]] do
      run(fn ->
        Cluster.start_nodes([:a, :b])

        Cluster.spawn(:a, fn ->
          :ok = :application.load(app)
          :ok = :application.start(:tree, type)
          {_, supervisor} = List.keyfind(Process.info(Process.whereis(:tree_agent), [:links]), :links, 0)
          Enum.each(supervisor, &Process.exit(&1, :kill))
        end)

        Process.sleep(1000)
        assert Cluster.list_up() == left
      end)
    end
  end

  defmodule Tree do
    use Application

    def start(:normal, argument) do
      value = {argument, Application.fetch_env!(:tree, :size), node()}
      children = [%{id: :agent, start: {Agent, :start_link, [fn -> value end, [name: :tree_agent]]}}]
      Supervisor.start_link(children, strategy: :one_for_one)
    end
  end

  test "the server of :timer is there" do
    run(fn ->
      {:ok, timer} = :timer.send_interval(10, :tick)
      for _ <- 1..3, do: assert_receive(:tick)
      assert {:ok, :cancel} = :timer.cancel(timer)
      {:ok, _} = :timer.apply_after(10, Kernel, :send, [self(), :applied])
      assert_receive :applied
    end)
  end

  test "several processes can be the first to ask for one" do
    Runner.run(
      fn ->
        [a] = Cluster.start_nodes([:a], connect: false)
        ask = fn -> Cluster.run(a, fn -> :global.whereis_name(:nobody) end) end
        assert 1..3 |> Enum.map(fn _ -> Task.async(ask) end) |> Task.await_many() == List.duplicate(:undefined, 3)
      end,
      seeds: 300
    )
  end

  test "a node that was started again has its own" do
    Runner.run(
      fn ->
        register = fn -> :yes = :global.register_name(:me, self()) end
        [a] = Cluster.start_nodes([:a], connect: false, start: register)
        assert Cluster.run(a, fn -> is_pid(Process.whereis(:application_controller)) end)
        Cluster.crash_node(a)
        Cluster.start_node(a, register)
        assert Cluster.run(a, fn -> node(:global.whereis_name(:me)) end) == a
      end,
      seeds: 100
    )
  end

  test "services do not count as waiting for ever" do
    Runner.run(fn -> IO.puts("a") end, seeds: 5, fail_on: :blocked, await: :quiescence)
  end
end
