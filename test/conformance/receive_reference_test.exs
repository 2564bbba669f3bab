defmodule Conformance.ReceiveReferenceTest do
  # A receive for a reference does not look at messages that are older than it; that must not be seen.
  use Lockstep.Support.Conformance

  defp look, do: receive(do: (:never -> :ok), after: (0 -> :ok))
  defp for_reference(ref), do: receive(do: ({^ref, value} -> value), after: (100 -> :none))

  test "messages for an older reference are found behind newer ones" do
    check(fn ->
      older = make_ref()
      send(self(), {older, 1})
      look()
      newer = make_ref()
      send(self(), {newer, 2})
      send(self(), {older, 3})
      {for_reference(newer), for_reference(older), for_reference(older), for_reference(newer), flush()}
    end)
  end

  test "what was passed over stays in order" do
    check(fn ->
      for n <- 1..3, do: send(self(), n)
      look()
      one = make_ref()
      for n <- 4..5, do: send(self(), n)
      send(self(), {one, :one})
      look()
      two = make_ref()
      send(self(), 6)
      send(self(), {two, :two})
      values = {for_reference(two), for_reference(one), for_reference(make_ref())}
      {values, Process.info(self(), :messages), flush()}
    end)
  end

  test "a reference that another process has made is found wherever it is" do
    check(fn ->
      me = self()

      spawn(fn ->
        ref = make_ref()
        send(me, {ref, :early})
        send(me, {:ref, ref})
      end)

      ref = receive(do: ({:ref, ref} -> ref))
      look()
      make_ref()
      {for_reference(ref), for_reference(ref), flush()}
    end)
  end
end
