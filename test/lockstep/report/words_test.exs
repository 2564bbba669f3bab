defmodule Lockstep.Report.WordsTest do
  use ExUnit.Case, async: true

  alias Lockstep.Report.Words

  @names %{0 => "main", 4 => "b:Replica"}

  test "names stand for pids of the run, others stay" do
    assert Words.text("send {:hi, #PID<0.5.7169>} to #PID<0.1.7168>", @names) == "send {:hi, b:Replica} to main"
    assert Words.text("send #PID<0.99.7168>", @names) == "send #PID<0.99.7168>"
  end

  test "OTP's envelopes are opened" do
    call = ~s|{:"$gen_call", {#PID<0.1.7168>, [:alias \| #Reference<0.5.2080374784.1>]}, {:put, 1}}|
    assert Words.text("send #{call} to #PID<0.5.7169>", @names) == "call {:put, 1} to b:Replica"
    assert Words.text("receive #{call}", @names) == "receive call {:put, 1} from main"
    assert Words.text(~s|send {:"$gen_cast", {:a, %{b: 1}}} to {S, :b}|, @names) == "cast {:a, %{b: 1}} to {S, :b}"

    reply = "{[:alias \| #Reference<0.5.2080374784.1>], :ok}"
    assert Words.text("send #{reply} to #Reference<0.5.2080374784.1>", @names) == "reply :ok"
    assert Words.text("receive #{reply}, :other", @names) == "receive reply :ok, :other"
  end

  test "bookkeeping gets no row, the cluster one of its own" do
    event = fn kind, text -> %{step: 1, time: 0, process: 0, node: :a, kind: kind, text: text} end

    events = [
      event.(:start, "start"),
      event.(:access, "access"),
      event.(:access, "ets insert"),
      event.(:heal, "heal")
    ]

    assert [%{text: "ets insert"}, %{text: "heal"} = heal] = Words.of(events, @names)
    assert Words.cluster?(heal)
    refute Words.cluster?(event.(:send, "send"))
  end
end
