defmodule Lockstep.Report.SliceTest do
  use ExUnit.Case, async: true

  alias Lockstep.Report.Slice

  @table 7 * 0x1_0000_0000

  # The events are written as `{process, kind, text}` or `{process, kind, text, object, detail}`; their steps count from 1.
  defp slice(events, roots, options \\ [], processes \\ processes()) do
    Slice.of(events(events), processes, roots, options)
  end

  defp shown(events, roots, options \\ [], processes \\ processes()) do
    Enum.map(slice(events, roots, options, processes).events, & &1.step)
  end

  defp processes, do: for(id <- 0..9, do: %{id: id, node: :nonode@nohost, label: nil, service?: false})
  defp on_nodes, do: for(id <- 0..9, do: %{id: id, node: :"n#{id}", label: nil, service?: false})

  defp events(events) do
    for {event, step} <- Enum.with_index(events, 1) do
      {process, kind, text, object, detail} = with {process, kind, text} <- event, do: {process, kind, text, 0, 0}
      %{step: step, time: 0, process: process, node: :n, kind: kind, text: text, object: object, detail: detail}
    end
  end

  defp pid(id), do: "#PID<0.#{id + 1}.7168>"

  describe "messages" do
    test "a receive comes of the sending of what it took, and of nothing else" do
      events = [
        {1, :send, "send :a to #{pid(0)}", 1, 0},
        {2, :send, "send :b to #{pid(5)}", 2, 5},
        {3, :send, "send :c to #{pid(0)}", 3, 0},
        {0, :receive, "receive :c", 1, 0}
      ]

      assert shown(events, [4]) == [3, 4]
    end

    test "a receive of several messages comes of all of them" do
      events = [
        {1, :send, "send :a to #{pid(0)}", 1, 0},
        {3, :send, "send {:c, [1]} to #{pid(0)}", 3, 0},
        {0, :receive, "receive :a, {:c, [1]}", 2, 0}
      ]

      assert shown(events, [3]) == [1, 2, 3]
    end

    test "between nodes the delivery lies between" do
      events = [
        {1, :send, "send :a to #{pid(0)}", 1, 0},
        {2, :send, "send :a to #{pid(0)}", 2, 0},
        {0, :deliver, "deliver: send :a to #{pid(0)}", 2, 2},
        {0, :receive, "receive :a", 1, 0}
      ]

      assert shown(events, [4], [], on_nodes()) == [2, 3, 4]
    end

    test "so it does on one node, if messages arrive when they like" do
      events = [
        {1, :send, "send :a to #{pid(0)}", 1, 0},
        {2, :send, "send :a to #{pid(0)}", 2, 0},
        {0, :deliver, "deliver: send :a to #{pid(0)}", 1, 1},
        {0, :receive, "receive :a", 1, 0},
        {0, :deliver, "deliver: send :a to #{pid(0)}", 2, 2}
      ]

      assert shown(events, [4]) == [1, 3, 4]
    end

    test "a timer's message comes of the start of the timer" do
      events = [
        {1, :start_timer, "send_after 10 ms: :tick", 99, 10},
        {2, :start_timer, "send_after 20 ms: :tock", 98, 20},
        {0, :fire, "timer fires", 99, 1},
        {0, :receive, "receive :tick", 1, 0}
      ]

      assert shown(events, [4]) == [1, 3, 4]
    end

    test "what was lost is a cause of a timeout of who it was for" do
      events = [
        {1, :lost, "send :a to #{pid(0)} (lost)", 1, 0},
        {2, :lost, "send :a to #{pid(5)} (lost)", 2, 5},
        {0, :timeout, "timeout after 10 ms", 0, 0}
      ]

      assert shown(events, [3]) == [1, 3]
    end

    test "what is lost on its way is one, and comes of its sending" do
      events = [
        {1, :send, "send :a to #{pid(0)}", 1, 0},
        {nil, :lost, "lost: send :a to #{pid(0)}", 1, 1},
        {0, :timeout, "timeout after 10 ms", 0, 0}
      ]

      assert shown(events, [3], [], on_nodes()) == [1, 2, 3]
    end
  end

  describe "processes" do
    test "what a process does comes of its spawn" do
      events = [
        {0, :spawn, "spawn #{pid(2)}", 2, 0},
        {1, :send, "send :a to #{pid(5)}", 1, 5},
        {2, :start, "start"},
        {2, :exit, "exit :boom"}
      ]

      assert shown(events, [4]) == [1, 4]
    end

    test "a DOWN message comes of the end" do
      events = [
        {1, :exit, "exit :boom", 3, 0},
        {2, :exit, "exit :boom", 3, 0},
        {0, :down, "a monitor fires", 1, 77},
        {0, :receive, "receive {:DOWN, #Reference<0.1.2.3>, :process, #{pid(1)}, :boom}", 1, 0}
      ]

      assert shown(events, [4]) == [1, 4]
    end

    test "an EXIT message, too" do
      events = [
        {1, :exit, "exit :boom"},
        {2, :exit, "exit :boom"},
        {0, :receive, "receive {:EXIT, #{pid(2)}, :boom}", 1, 0}
      ]

      assert shown(events, [3]) == [2, 3]
    end

    test "a killed process was killed by the end of another, or by exit/2" do
      by_link = [
        {1, :exit, "exit :boom"},
        {2, :exit, "exit :boom"},
        {0, :exit_signal, "", 1, 2},
        {0, :killed, "killed: :boom"}
      ]

      assert shown(by_link, [4]) == [2, 4]

      by_exit = [
        {1, :signal, "exit #{pid(5)}, :kill", 5, 1},
        {2, :signal, "exit #{pid(0)}, :kill", 0, 1},
        {0, :killed, "killed: :killed"}
      ]

      assert shown(by_exit, [3]) == [2, 3]
    end

    test "that a task has ended normally is nothing to tell of who does not ask for it" do
      events = [{1, :exit, "exit :normal"}, {0, :exit_signal, "", 1, 1}, {0, :send, "send :a to #{pid(5)}", 1, 5}]
      assert shown(events, [3]) == [3]
    end
  end

  describe "what is shared" do
    test "a read comes of the write of the same entry" do
      events = [
        {1, :access, "ets.insert(:t, {:a, 1}) = true", @table + 1, 1},
        {2, :access, "ets.insert(:t, {:b, 1}) = true", @table + 2, 1},
        {3, :access, "ets.lookup(:t, :b) = []", @table + 2, 0},
        {0, :access, "ets.lookup(:t, :a) = [a: 1]", @table + 1, 0}
      ]

      assert shown(events, [4]) == [1, 4]
    end

    test "a write comes of the reads that it makes stale" do
      events = [
        {1, :access, "ets.lookup(:t, :a) = []", @table + 1, 0},
        {2, :access, "ets.insert(:t, {:a, 1}) = true", @table + 1, 1}
      ]

      assert shown(events, [2]) == [1, 2]
    end

    test "the whole of a table conflicts with each entry" do
      events = [
        {1, :access, "ets.insert(:t, {:a, 1}) = true", @table + 1, 1},
        {0, :access, "ets.tab2list(:t) = [a: 1]", @table, 0}
      ]

      assert shown(events, [2]) == [1, 2]
    end

    test "two reads do not" do
      events = [
        {1, :access, "ets.lookup(:t, :a) = []", @table + 1, 0},
        {2, :access, "ets.insert(:t, {:a, 1}) = true", @table + 1, 1},
        {3, :access, "ets.lookup(:u, :a) = []", 5 * 0x1_0000_0000 + 1, 0},
        {0, :access, "ets.lookup(:t, :a) = []", @table + 1, 0}
      ]

      assert shown(events, [4]) == [1, 2, 4]
      assert shown(events, [1]) == [1]
    end

    test "what only one process touches is not told" do
      events = [
        {0, :access, "ets.insert(:t, {:a, 1}) = true", @table + 1, 1},
        {0, :send, "send :a to #{pid(5)}", 1, 5}
      ]

      assert shown(events, [2]) == [2]
    end

    test "a name that two processes have is told, one that only one has is not" do
      events = [
        {1, :register, "register :leader", 3, 1},
        {2, :whereis, "whereis :leader: #{pid(1)}", 3, 1},
        {2, :register, "register :leader", 3, 2},
        {0, :whereis, "whereis :leader: #{pid(2)}", 3, 2}
      ]

      assert shown(events, [4]) == [1, 2, 3, 4]
      assert shown(List.delete_at(events, 2), [3]) == []
    end
  end

  describe "the cluster" do
    test "faults are always told, that nodes start and connect at first is not" do
      events = [
        {0, :start_node, "start node :a", 1, 0},
        {nil, :connected, ":a and :b are connected", 1, 2},
        {3, :send, "send :x to #{pid(4)}", 1, 4},
        {0, :crash_node, "crash node :a", 1, 0},
        {nil, :disconnected, ":b loses :a", 2, 1},
        {0, :start_node, "start node :a", 1, 0},
        {nil, :connected, ":a and :b are connected", 1, 2},
        {5, :send, "send :y to #{pid(6)}", 2, 6}
      ]

      assert shown(events, [8]) == [4, 5, 6, 8]
    end

    test "of very many faults only the latest" do
      events = for _ <- 1..50, do: {nil, :partition, "partition [:a] from [:b]"}
      assert length(shown(events ++ [{0, :exit, "exit :a"}], [51])) == 11
    end
  end

  describe "what keeps books" do
    test "is left out: OTP's, Elixir's and Lockstep's own" do
      events = [
        {0, :start, "start"},
        {0, :monitor, "monitor #{pid(1)}"},
        {0, :look, "look"},
        {0, :access, "read the clock", 0, 0},
        {0, :trap_exit, "trap_exit true"},
        {0, :stall, "held back for 1 ms", 1000, 0},
        {0, :receive, "receive {:ack, #{pid(1)}, {:ok, #{pid(1)}}}", 1, 0},
        {0, :start_timer, "send_after 5000 ms: #Reference<0.1.2.3>", 9, 5000},
        {0, :cancel_timer, "cancel_timer: 5000", 9, 1},
        {0, :timeout, "timeout after 0 ms"},
        {0, :send, "send :a to #{pid(5)}", 1, 5}
      ]

      assert shown(events, [11]) == [11]
    end

    test "so is the end of a task, which its result has told already" do
      told = "receive {#{pid(0)}, #Reference<0.1.2.3>, #Reference<0.1.2.3>, [], {:erlang, :apply, [&A.b/0, []]}}"

      events = [
        {1, :receive, told, 1, 0},
        {1, :exit, "exit :normal", 0, 0},
        {0, :receive, "receive {:DOWN, #Reference<0.1.2.3>, :process, #{pid(1)}, :normal}", 1, 0},
        {2, :exit, "exit :normal", 0, 0},
        {0, :receive, "receive {:DOWN, #Reference<0.1.2.4>, :process, #{pid(2)}, :normal}", 1, 0}
      ]

      assert shown(events, [5]) == [4, 5]
    end

    test "but what tells something is not" do
      events = [
        {0, :look, "alive? #{pid(1)}: false"},
        {0, :timeout, "timeout after 0 ms"},
        {0, :cancel_timer, "cancel_timer: false", 9, 0}
      ]

      assert shown(events, [3]) == [1, 2, 3]
    end

    test "services are left out" do
      processes = Enum.map(processes(), &%{&1 | service?: &1.id == 1})
      events = [{1, :send, "send :a to #{pid(0)}", 1, 0}, {0, :receive, "receive :a", 1, 0}]
      assert shown(events, [2], [], processes) == [2]
    end
  end

  describe "a long story" do
    test "is cut to what is nearest, and the rest is counted" do
      events = for(n <- 1..100, do: {0, :send, "send #{n} to #{pid(5)}", n, 5}) ++ [{1, :exit, "exit :a"}]
      assert %Slice{events: shown, earlier: 90, others: 1} = slice(events, [100], rows: 10)
      assert Enum.map(shown, & &1.step) == Enum.to_list(91..100)
    end

    test "keeps what is asked for" do
      events = for n <- 1..100, do: {0, :send, "send #{n} to #{pid(5)}", n, 5}
      assert shown(events, [100], rows: 4, keep: [7, 50]) == [7, 50, 99, 100]
    end

    test "keeps what the error mentions, but not if everything does" do
      events = for n <- 1..100, do: {0, :send, "send {:put, #{n}, 500} to #{pid(5)}", n, 5}
      assert shown(events, [100], rows: 5, patterns: [~r/\b12\b/, ~r/\b500\b/]) == [12, 13, 98, 99, 100]
    end

    test "of ten thousand events takes no more than a moment" do
      events = for n <- 1..10_000, do: {rem(n, 10), :access, "ets.insert(:t, {:a, #{n}}) = true", @table + 1, 1}
      {micros, shown} = :timer.tc(fn -> shown(events, [10_000]) end)
      assert length(shown) == 32
      assert micros < 20_000_000
    end
  end

  test "works without any event, and for a step that is not there" do
    assert slice([], []) == %Slice{}
    assert slice([{0, :send, "send :a to b", 1, 2}], [77]) == %Slice{others: 1}
  end
end
