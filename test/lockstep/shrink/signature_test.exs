defmodule Lockstep.Shrink.SignatureTest do
  use ExUnit.Case, async: true

  alias Lockstep.Shrink.Signature
  alias Lockstep.Simulation.Result

  defp of(error), do: Signature.of(%Result{outcome: {:error, error}})
  defp crash(kind, reason, line), do: of({:crash, kind, reason, [frame(line)]})
  defp frame(line), do: {MyApp.Store, :put, 2, [file: ~c"lib/my_app/store.ex", line: line]}
  defp waiting(label, place), do: %{id: :rand.uniform(100), node: :a, label: label, waiting_in: place, unread: []}

  test "a run that does not fail has none" do
    assert Signature.of(%Result{outcome: :ok}) == :ok
  end

  test "an exception is its class and its place" do
    one = crash(:error, %RuntimeError{message: "seat 1"}, 12)
    assert crash(:error, %RuntimeError{message: "seat 2"}, 12) == one
    assert crash(:error, %RuntimeError{message: "seat 1"}, 13) != one
    assert crash(:error, %ArgumentError{message: "seat 1"}, 12) != one
    assert crash(:error, :badarg, 12) != one
  end

  test "the same line of two callers is two places only if it is no line of the program's" do
    caller = fn line -> {MyApp, :run, 0, [file: ~c"lib/my_app.ex", line: line]} end
    assertion = {ExUnit.Assertions, :assert, 2, [file: ~c"lib/ex_unit/assertions.ex", line: 1]}
    at = fn trace -> of({:crash, :error, %ExUnit.AssertionError{}, trace}) end
    assert at.([frame(12), caller.(1)]) == at.([frame(12), caller.(2)])
    assert at.([assertion, caller.(1)]) != at.([assertion, caller.(2)])
  end

  test "a reason is its shape: what differs from run to run does not count" do
    reason = fn pid, reference, number -> {:timeout, {GenServer, :call, [pid, {:get, reference}, number]}} end
    other = spawn(fn -> :ok end)
    one = crash(:exit, reason.(self(), make_ref(), 5000), 7)
    assert crash(:exit, reason.(other, make_ref(), 60), 7) == one
    assert crash(:exit, {:noproc, {GenServer, :call, [other, {:get, make_ref()}, 60]}}, 7) != one
    assert crash(:exit, {:timeout, {GenServer, :stop, [other, {:get, make_ref()}, 60]}}, 7) != one
    assert crash(:throw, reason.(self(), make_ref(), 5000), 7) != one
  end

  test "a reason with a stack trace counts the trace's place" do
    reason = fn message, line -> {%RuntimeError{message: message}, [frame(line)]} end
    assert crash(:exit, reason.("a", 3), 7) == crash(:exit, reason.("b", 3), 7)
    assert crash(:exit, reason.("a", 3), 7) != crash(:exit, reason.("a", 4), 7)
  end

  test "a deadlock is who waits where, in any order" do
    deadlock = fn processes -> of(%Lockstep.DeadlockError{processes: processes}) end
    one = deadlock.([waiting("main", "a.ex:1"), waiting(nil, "b.ex:2")])
    assert deadlock.([waiting(nil, "b.ex:2"), waiting("main", "a.ex:1")]) == one
    assert deadlock.([waiting("main", "a.ex:1")]) != one
    assert deadlock.([waiting("main", "a.ex:1"), waiting(nil, "b.ex:3")]) != one
  end

  test "a process that fails the run is its name and its reason" do
    failure = fn id, label, reason ->
      of(%Lockstep.ProcessFailure{process: %{id: id, node: :a, label: label}, kind: :crash, reason: reason})
    end

    assert failure.(3, "Store", :boom) == failure.(4, "Store", :boom)
    assert failure.(3, "Store", :boom) != failure.(3, "Cache", :boom)
    assert failure.(3, "Store", :boom) != failure.(3, "Store", :bang)
  end

  test "a claim is its name" do
    claim = fn name, step -> of(%Lockstep.AlwaysError{name: name, value: false, step: step, time: 0}) end
    assert claim.("one leader", 3) == claim.("one leader", 9)
    assert claim.("one leader", 3) != claim.("two leaders", 3)
  end

  test "anything has a shape" do
    for reason <- [
          [1 | 2],
          %{a: 1},
          MapSet.new(),
          1.5,
          "text",
          <<1::3>>,
          &of/1,
          make_ref(),
          {},
          [],
          Enum.to_list(1..100)
        ] do
      assert crash(:exit, reason, 1) == crash(:exit, reason, 1)
    end
  end
end
