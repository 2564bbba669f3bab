defmodule Programs.OtpBugsTest do
  # Bugs that are in how a program uses OTP, each with its corrected twin. Imitations of GenServer, Supervisor or Task do
  # not have what these bugs need: timeouts, late replies, restart orders, shutdown.
  #
  # The figures are of 100 sweeps that begin at different seeds: how many runs it took to find the bug.
  use ExUnit.Case, async: true
  use Lockstep

  @clean 2000

  defmodule Prices do
    use GenServer

    @prices %{apple: 1, pear: 2}

    def init(_), do: {:ok, nil}

    # Other servers have to be asked, which takes its time.
    def handle_call({:price, item}, from, state) do
      Process.send_after(self(), {:answer, from, @prices[item]}, 30)
      {:noreply, state}
    end

    def handle_info({:price, item, client}, state) do
      Process.send_after(self(), {:tell, client, {:price, @prices[item]}}, 30)
      {:noreply, state}
    end

    def handle_info({:answer, from, price}, state),
      do: {:noreply, tap(state, fn _ -> GenServer.reply(from, price) end)}

    def handle_info({:tell, client, answer}, state), do: {:noreply, tap(state, fn _ -> send(client, answer) end)}

    # A protocol of one's own: the answer does not say to which question it belongs.
    def ask_by_message(server, item) do
      send(server, {:price, item, self()})
      receive(do: ({:price, price} -> price), after: (50 -> :unknown))
    end

    def ask_by_call(server, item) do
      GenServer.call(server, {:price, item}, 50)
    catch
      :exit, {:timeout, _} -> :unknown
    end
  end

  defmodule Checkout do
    use GenServer

    def init(prices), do: {:ok, prices}
    def handle_call({:ask, how, item}, _from, prices), do: {:reply, how.(prices, item), prices}

    # What gen_server's call was before there were aliases: the reply comes, whether or not anybody waits.
    def ask(server, item) do
      tag = Process.monitor(server)
      send(server, {:"$gen_call", {self(), tag}, {:price, item}})
      price = receive(do: ({^tag, price} -> price), after: (50 -> :unknown))
      Process.demonitor(tag, [:flush])
      price
    end

    def handle_info(:refresh, prices), do: {:noreply, prices}
  end

  defmodule Download do
    # Writes chunk after chunk, and looks in between whether it is to stop.
    def start(file, chunks), do: spawn_link(fn -> write(file, Enum.to_list(chunks)) end)

    defp write(_file, []), do: receive(do: ({:cancel, from} -> send(from, :cancelled)))

    defp write(file, [chunk | chunks]) do
      receive do
        {:cancel, from} -> send(from, :cancelled)
        :cancel -> :ok
      after
        0 ->
          Agent.update(file, &[chunk | &1])
          write(file, chunks)
      end
    end

    def cancel(download), do: send(download, :cancel)

    def cancel_and_wait(download) do
      send(download, {:cancel, self()})
      receive(do: (:cancelled -> :ok))
    end
  end

  defmodule Worker do
    # One job at a time: requests that come meanwhile are postponed. A job that takes too long is given up.
    @behaviour :gen_statem

    def start_link(tagged?), do: :gen_statem.start_link(__MODULE__, tagged?, [])
    def square(worker, n), do: :gen_statem.call(worker, {:square, n})

    def callback_mode, do: :state_functions
    def init(tagged?), do: {:ok, :idle, %{tagged?: tagged?, job: nil}}

    def idle({:call, from}, {:square, n}, data) do
      worker = self()
      job = make_ref()

      spawn_link(fn ->
        Process.sleep(30)
        send(worker, {:done, job, n * n})
      end)

      {:next_state, :busy, Map.merge(data, %{job: job, from: from}), [{:state_timeout, 50, :give_up}]}
    end

    # Of a job that was given up.
    def idle(:info, {:done, _job, _result}, _data), do: :keep_state_and_data

    def busy({:call, _from}, _request, _data), do: {:keep_state_and_data, [:postpone]}
    def busy(:state_timeout, :give_up, data), do: {:next_state, :idle, data, [{:reply, data.from, :given_up}]}

    def busy(:info, {:done, job, _result}, %{tagged?: true, job: other}) when job != other, do: :keep_state_and_data
    def busy(:info, {:done, _job, result}, data), do: {:next_state, :idle, data, [{:reply, data.from, result}]}
  end

  defmodule Store do
    use GenServer
    def start_link(_), do: GenServer.start_link(__MODULE__, 0, name: __MODULE__)
    def init(n), do: {:ok, n}
    def handle_call(:next, _from, n), do: {:reply, n, n + 1}
  end

  defmodule Reporter do
    use GenServer
    def start_link(to), do: GenServer.start_link(__MODULE__, to)

    # Relies on a sibling, which will be there by then.
    def init(to) do
      Process.send_after(self(), :load, 5)
      {:ok, to}
    end

    def handle_info(:load, to), do: {:noreply, tap(to, &send(&1, {:loaded, GenServer.call(Store, :next)}))}
  end

  defmodule Counter do
    use GenServer
    def start_link(_), do: GenServer.start_link(__MODULE__, nil, name: __MODULE__)
    def next, do: GenServer.call(__MODULE__, :next)
    def init(nil), do: {:ok, nil}

    # Looks up the sibling once, when it is first needed.
    def handle_call(:next, from, nil), do: handle_call(:next, from, Process.whereis(Store))

    def handle_call(:next, _from, store) do
      {:reply, {:ok, GenServer.call(store, :next)}, store}
    catch
      :exit, {reason, _} -> {:reply, {:error, reason}, store}
    end
  end

  defmodule Journal do
    # Collects entries, and writes them after a while, or when it is ended.
    use GenServer

    def start_link(options), do: GenServer.start_link(__MODULE__, Map.new(options))
    def add(journal, entry), do: GenServer.call(journal, {:add, entry})

    def init(options) do
      if options.trap?, do: Process.flag(:trap_exit, true)
      {:ok, Map.put(options, :entries, [])}
    end

    def handle_call({:add, entry}, _from, state) do
      Process.send_after(self(), :write, 10)
      {:reply, :ok, %{state | entries: [entry | state.entries]}}
    end

    def handle_info(:write, state), do: {:noreply, write(state)}
    def terminate(_reason, state), do: write(state)

    defp write(state) do
      for entry <- Enum.reverse(state.entries), do: Agent.update(state.disk, &[entry | &1])
      %{state | entries: []}
    end
  end

  defmodule Catalogue do
    def names(ids, store, options) do
      names =
        ids |> Task.async_stream(&Agent.get(store, fn names -> names[&1] end), options) |> Enum.map(&elem(&1, 1))

      Map.new(Enum.zip(ids, names))
    end
  end

  defmodule Sessions do
    # One process for each user, which ends when it is not needed any more.
    use GenServer, restart: :temporary

    def start_link(user), do: GenServer.start_link(__MODULE__, user, name: via(user))
    def init(user), do: {:ok, user}
    def handle_call(:user, _from, user), do: {:reply, user, user}
    def handle_cast(:end, user), do: {:stop, :normal, user}

    defp via(user), do: {:via, Registry, {Sessions.Registry, user}}

    def ask(user) do
      case Registry.lookup(Sessions.Registry, user) do
        [{pid, _}] -> GenServer.call(pid, :user)
        [] -> :none
      end
    end

    def ask_carefully(user) do
      ask(user)
    catch
      :exit, {reason, _} when reason in [:noproc, :normal] -> :none
    end
  end

  # That it fails is not enough: it has to fail with what the bug leads to.
  defp finds(program, seeds, symptom) do
    assert {:failed, failure} = Lockstep.Runner.explore(program, seeds: seeds)
    assert Exception.message(failure) =~ symptom
  end

  defp stays_clean(program), do: assert(Lockstep.Runner.run(program, seeds: @clean).runs == @clean)

  describe "a late reply after a timeout" do
    def late_reply(ask) do
      {:ok, server} = GenServer.start_link(Prices, nil)
      answers = for item <- [:apple, :pear], do: ask.(server, item)
      assert Enum.zip(answers, [1, 2]) |> Enum.all?(fn {got, price} -> got in [:unknown, price] end)
    end

    test "is taken for the answer to the next question" do
      # Median 20 runs, worst 92.
      finds(fn -> late_reply(&Prices.ask_by_message/2) end, 150, "Enum.all?")
    end

    test "never comes with GenServer.call" do
      stays_clean(fn -> late_reply(&Prices.ask_by_call/2) end)
    end
  end

  describe "a late reply in a server that asks another" do
    def late_message(how) do
      {:ok, prices} = GenServer.start_link(Prices, nil)
      {:ok, checkout} = GenServer.start_link(Checkout, prices)
      GenServer.call(checkout, {:ask, how, :apple})
      Process.sleep(100)
      send(checkout, :refresh)
      assert GenServer.call(checkout, {:ask, how, :pear}) in [2, :unknown]
    end

    test "ends it, for it has no clause for such a message" do
      # Median 13 runs, worst 85.
      finds(fn -> late_message(&Checkout.ask/2) end, 150, "Checkout.handle_info/2")
    end

    test "never comes with GenServer.call" do
      stays_clean(fn -> late_message(&Prices.ask_by_call/2) end)
    end
  end

  describe "polling with receive after 0" do
    def cancelled_download(cancel) do
      {:ok, file} = Agent.start_link(fn -> [] end)
      download = Download.start(file, 1..3)
      cancel.(download)
      left = Agent.get(file, & &1)
      Process.sleep(1000)
      assert Agent.get(file, & &1) == left
    end

    test "sees the request to stop only after the next chunk" do
      # Median 8 runs, worst 36.
      finds(fn -> cancelled_download(&Download.cancel/1) end, 100, "Agent.get(file")
    end

    test "is no problem for who waits until it has stopped" do
      stays_clean(fn -> cancelled_download(&Download.cancel_and_wait/1) end)
    end
  end

  describe "postpone against state_timeout" do
    def squares(tagged?) do
      {:ok, worker} = Worker.start_link(tagged?)
      tasks = for n <- 2..3, do: Task.async(fn -> {n, Worker.square(worker, n)} end)
      for {n, square} <- Task.await_many(tasks), do: assert(square in [n * n, :given_up])
    end

    # The postponed request is taken up at once when the first is given up, and gets its late result.
    test "gives the result of one job to another" do
      # Median 26 runs, worst 182.
      finds(fn -> squares(false) end, 300, "square in")
    end

    test "is no problem for results that say to which job they belong" do
      stays_clean(fn -> squares(true) end)
    end
  end

  describe "the order of children under one_for_all" do
    def restarted(children) do
      Process.flag(:trap_exit, true)
      # One restart is allowed; a second one ends the supervisor.
      {:ok, _} = Supervisor.start_link(children, strategy: :one_for_all, max_restarts: 1)
      assert loaded() == 0
      Process.exit(Process.whereis(Store), :kill)
      assert loaded() == 0
    end

    defp loaded, do: receive(do: ({:loaded, n} -> n), after: (1000 -> :nothing))

    test "matters to one that calls a sibling soon after its start" do
      # Median 4 runs, worst 21.
      finds(fn -> restarted([{Reporter, self()}, Store]) end, 60, "loaded() == 0")
    end

    test "is right when the sibling comes first" do
      stays_clean(fn -> restarted([Store, {Reporter, self()}]) end)
    end
  end

  describe "the order of children under rest_for_one" do
    def crashed(children) do
      {:ok, sup} = Supervisor.start_link(children, strategy: :rest_for_one)
      store = Process.whereis(Store)
      spawn(fn -> Process.exit(store, :kill) end)
      # What is asked meanwhile may fail.
      Task.yield(Task.Supervisor.async_nolink(tasks(), &Counter.next/0))
      await_restart(sup, store)
      assert {:ok, _} = Counter.next()
    end

    defp tasks, do: Task.Supervisor.start_link() |> elem(1)

    defp await_restart(sup, store) do
      case Supervisor.which_children(sup) |> List.keyfind(Store, 0) do
        {_, pid, _, _} when is_pid(pid) and pid != store -> :ok
        _ -> await_restart(sup, store)
      end
    end

    test "matters to one that remembers the pid of a sibling" do
      # Median 38 runs, worst 230.
      finds(fn -> crashed([Counter, Store]) end, 400, "{:error, :noproc}")
    end

    test "is right when it is started after, and so restarted with, the sibling" do
      stays_clean(fn -> crashed([Store, Counter]) end)
    end
  end

  describe "terminate against shutdown" do
    def shut_down(trap?, shutdown) do
      {:ok, disk} = Agent.start_link(fn -> [] end)
      journal = Supervisor.child_spec({Journal, disk: disk, trap?: trap?}, shutdown: shutdown)
      {:ok, sup} = Supervisor.start_link([journal], strategy: :one_for_one)
      [{_, journal, _, _}] = Supervisor.which_children(sup)
      for entry <- 1..3, do: Journal.add(journal, entry)
      Process.sleep(20)
      Supervisor.stop(sup)
      assert Agent.get(disk, & &1) == [3, 2, 1]
    end

    test "without trap_exit: terminate does not run" do
      # Median 9 runs, worst 79.
      finds(fn -> shut_down(false, 5000) end, 150, "== [3, 2, 1]")
    end

    test "with a shutdown time that is too short: terminate does not get to its end" do
      # Median 27 runs, worst 153.
      finds(fn -> shut_down(true, 20) end, 300, "== [3, 2, 1]")
    end

    test "with trap_exit and enough time" do
      stays_clean(fn -> shut_down(true, :infinity) end)
    end
  end

  describe "async_stream" do
    def catalogue(options) do
      {:ok, store} = Agent.start_link(fn -> %{1 => "one", 2 => "two", 3 => "three"} end)
      assert Catalogue.names([1, 2, 3], store, options) == %{1 => "one", 2 => "two", 3 => "three"}
    end

    test "with ordered: false gives its results in any order" do
      # Median 3 runs, worst 17.
      finds(fn -> catalogue(ordered: false) end, 60, "Catalogue.names")
    end

    test "gives its results in order otherwise" do
      stays_clean(fn -> catalogue([]) end)
    end
  end

  describe "Registry" do
    def session(ask) do
      {:ok, _} = Registry.start_link(keys: :unique, name: Sessions.Registry)
      {:ok, pid} = GenServer.start(Sessions, :ann, name: {:via, Registry, {Sessions.Registry, :ann}})
      GenServer.cast(pid, :end)
      assert ask.(:ann) in [:ann, :none]
    end

    test "has a process that dies before it is asked" do
      # Median 1 run, worst 3.
      finds(fn -> session(&Sessions.ask/1) end, 20, "exited in: GenServer.call")
    end

    test "is no problem for who allows for it" do
      stays_clean(fn -> session(&Sessions.ask_carefully/1) end)
    end
  end
end
