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
    assert Words.text(~s|send {:"$gen_cast", {:a, %{b: 1}}} to {S, :b}|, @names) == "cast {:a, %{b: 1}} to b:S"

    reply = "{[:alias \| #Reference<0.5.2080374784.1>], :ok}"
    assert Words.text("send #{reply} to #Reference<0.5.2080374784.1>", @names) == "reply :ok"
    assert Words.text("receive #{reply}, :other", @names) == "receive reply :ok, :other"
  end

  test "a message is taken apart however deep it is" do
    call = ~s|{:"$gen_call", {#PID<0.1.7168>, #Reference<0.5.2080374784.1>}, {:put, {1, "}, "}, %{{:a, 1} => 2}}}|

    assert Words.text("send #{call} to #PID<0.5.7169>", @names) ==
             ~S|call {:put, {1, "}, "}, %{{:a, 1} => 2}} to b:Replica|

    assert Words.text("receive :a, #{call}", @names) ==
             ~S|receive :a, call {:put, {1, "}, "}, %{{:a, 1} => 2}} from main|
  end

  test "a name on a node is written as the names of processes are" do
    assert Words.text("send :hi to {KV.Replica, :a}", @names) == "send :hi to a:KV.Replica"
  end

  test "to whom a reply goes is told from its number" do
    event = %{
      kind: :send,
      text: "send {[:alias \| #Reference<0.5.2080374784.1>], :ok} to #Reference<0.5.2080374784.1>",
      detail: 4
    }

    assert Words.of(event, @names) == "reply :ok to b:Replica"
    assert Words.of(%{event | detail: 17}, @names) == "reply :ok"
  end

  test "functions are called by where they are, in a test by nothing" do
    assert Words.text("send #Function<1.123/1 in Seats.left/0> to x", @names) == "send fn in Seats.left to x"
    assert Words.text(~s|send #Function<1.123/1 in ATest."test a (b)"/1> to x|, @names) == "send fn to x"
    assert Words.text("send &Seats.left/0 to x", @names) == "send &Seats.left/0 to x"
  end

  test "bookkeeping is worth no row, services none either, and the cluster has its own" do
    event = fn kind, text -> %{step: 1, time: 0, process: 0, node: :a, kind: kind, text: text} end
    refute Words.worth_a_row?(event.(:start, "start"), [])
    refute Words.worth_a_row?(event.(:access, "access"), [])

    refute Words.worth_a_row?(
             event.(:send, "send {:ack, #PID<0.5.7169>, {:ok, #PID<0.5.7169>}} to #PID<0.1.7168>"),
             []
           )

    assert Words.worth_a_row?(event.(:access, "ets insert"), [])
    refute Words.worth_a_row?(event.(:access, "ets insert"), [0])
    assert Words.worth_a_row?(event.(:heal, "heal"), [0])
    assert Words.cluster?(event.(:heal, "heal"))
    refute Words.cluster?(event.(:send, "send"))
  end

  test "what a task is told to do" do
    told =
      "receive {#PID<0.1.7168>, #Reference<0.1.2.3>, #Reference<0.1.2.3>, [#PID<0.1.7168>], {:erlang, :apply, [&Seats.sell/0, []]}}"

    assert Words.task(%{kind: :receive, text: told}) == "&Seats.sell/0"
    called = "receive {#PID<0.1.7168>, #Reference<0.1.2.3>, #Reference<0.1.2.3>, [], {Seats, :sell, [1, {2}]}}"
    assert Words.task(%{kind: :receive, text: called}) == "Seats.sell(1, {2})"
    assert Words.task(%{kind: :receive, text: "receive :hi"}) == nil
  end
end
