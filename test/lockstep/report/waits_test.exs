defmodule Lockstep.Report.WaitsTest do
  use ExUnit.Case, async: true

  alias Lockstep.Report.Waits

  doctest Lockstep.Report.Waits, import: true, only: [cycle: 1]

  @processes for id <- 0..5, do: %{id: id, node: :nonode@nohost, label: nil, service?: false}

  defp waits(events) do
    events =
      for {{process, kind, text, object, detail}, step} <- Enum.with_index(events, 1) do
        %{step: step, time: 0, process: process, node: :n, kind: kind, text: text, object: object, detail: detail}
      end

    Waits.of(events, @processes)
  end

  defp edges(events), do: for(wait <- waits(events), do: {wait.process, wait.for, wait.kind, wait.what})

  defp pid(id), do: "#PID<0.#{id + 1}.7168>"
  defp call(from, to, message), do: {from, :send, "send #{call_text(from, message)} to #{pid(to)}", 1, to}

  defp call_text(from, message),
    do: ~s|{:"$gen_call", {#{pid(from)}, [:alias \| #Reference<0.#{from}.9.1>]}, #{message}}|

  defp reply(from, to),
    do: {from, :send, "send {[:alias | #Reference<0.#{to}.9.1>], :ok} to #Reference<0.#{to}.9.1>", 1, to}

  defp receive_reply(by), do: {by, :receive, "receive {[:alias | #Reference<0.#{by}.9.1>], :ok}", 1, 0}
  defp receive_call(by, from, message), do: {by, :receive, "receive " <> call_text(from, message), 1, 0}

  test "who has called waits for the answer" do
    assert edges([call(1, 2, ":get"), receive_call(2, 1, ":get")]) == [{1, 2, :call, ":get"}]
  end

  test "also if something else has come meanwhile" do
    events = [call(1, 2, ":get"), receive_call(1, 3, ":put"), {1, :stall, "held back", 1, 0}]
    assert edges(events) == [{1, 2, :call, ":get"}]
  end

  test "who has the answer does not" do
    assert edges([call(1, 2, ":get"), reply(2, 1), receive_reply(1)]) == []
  end

  test "who has done something else since does not" do
    assert edges([
             call(1, 2, ":get"),
             {1, :timeout, "timeout after 5000 ms", 0, 0},
             {1, :demonitor, "demonitor", 1, 0}
           ]) == []
  end

  test "who is dead does not" do
    assert edges([call(1, 2, ":get"), {1, :killed, "killed: :boom", 0, 0}]) == []
  end

  test "a message with one's own pid asks for an answer, another does not" do
    assert edges([{1, :send, "send {:take, #{pid(1)}} to #{pid(2)}", 1, 2}]) == [
             {1, 2, :message, "{:take, #{pid(1)}}"}
           ]

    assert edges([{1, :send, "send :hello to #{pid(2)}", 1, 2}]) == []
  end

  test "a message asks nobody once anything has come" do
    assert edges([{1, :send, "send {:take, #{pid(1)}} to #{pid(2)}", 1, 2}, {1, :receive, "receive :taken", 1, 0}]) ==
             []
  end

  test "the receiver of what was sent to a name on another node is told from its delivery, or from the name" do
    nobody = 0xFFFFFFFFFFFFFFFF
    to_name = {1, :send, "send #{call_text(1, ":get")} to {Server, :n}", 8, nobody}
    assert edges([to_name, {3, :deliver, "deliver: ...", 8, 1}]) == [{1, 3, :call, ":get"}]
    assert edges([to_name]) == []

    named =
      for process <- @processes, do: if(process.id == 4, do: %{process | label: "Server", node: :n}, else: process)

    event = %{step: 1, time: 0, process: 1, node: :n, kind: :send, text: elem(to_name, 2), object: 8, detail: nobody}
    assert [%{process: 1, for: 4}] = Waits.of([event], named)
  end

  test "who has started tasks waits for those that have not ended" do
    told = "receive {#{pid(0)}, #Reference<0.1.2.3>, #Reference<0.1.2.3>, [], {:erlang, :apply, [&A.b/0, []]}}"

    events = [
      {0, :spawn, "spawn #{pid(1)}", 1, 0},
      {0, :spawn, "spawn #{pid(2)}", 2, 0},
      {0, :spawn, "spawn #{pid(3)}", 3, 0},
      {1, :receive, told, 1, 0},
      {2, :receive, told, 1, 0},
      {1, :exit, "exit :normal", 0, 0}
    ]

    assert edges(events) == [{0, 2, :task, nil}]
  end

  describe "a cycle" do
    test "is found wherever it is" do
      waits = waits([call(0, 1, ":a"), call(1, 2, ":b"), call(2, 3, ":c"), call(3, 1, ":d")])
      assert Enum.map(Waits.cycle(waits), & &1.process) == [1, 2, 3]
    end

    test "is not there without being there" do
      assert Waits.cycle(waits([call(0, 1, ":a"), call(1, 2, ":b"), call(3, 2, ":c")])) == []
      assert Waits.cycle([]) == []
    end

    test "through who has several to wait for" do
      waits = for {a, b} <- [{0, 1}, {0, 2}, {2, 0}], do: %{process: a, for: b}
      assert Waits.cycle(waits) == [%{process: 0, for: 2}, %{process: 2, for: 0}]
    end

    test "is perhaps one where idle servers have answered others" do
      events = [
        call(1, 3, ":lock"),
        reply(3, 1),
        receive_reply(1),
        call(2, 4, ":lock"),
        reply(4, 2),
        receive_reply(2),
        call(1, 4, ":lock"),
        call(2, 3, ":lock")
      ]

      recorded =
        for {{process, kind, text, _, detail}, step} <- Enum.with_index(events, 1),
            do: %{step: step, process: process, kind: kind, text: text, detail: detail}

      waits = waits(events)
      assert Waits.cycle(waits) == []

      assert Enum.map(Waits.cycle(Waits.with_answers(waits, recorded)), &{&1.process, &1.kind}) == [
               {1, :call},
               {4, :answered},
               {2, :call},
               {3, :answered}
             ]
    end
  end

  test "from one process on" do
    waits = waits([call(0, 1, ":a"), call(1, 2, ":b"), call(3, 4, ":c")])
    assert Enum.map(Waits.from(waits, 0), & &1.process) == [0, 1]
    assert Waits.from(waits, 2) == []
  end
end
