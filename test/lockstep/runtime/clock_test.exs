defmodule Lockstep.Runtime.ClockTest do
  use ExUnit.Case, async: true
  use Lockstep

  alias Lockstep.Runner

  # Without stalls time passes only by waiting.
  defp run(fun), do: Runner.run(fun, seeds: 5, max_stall: 0, max_virtual_time: 100_000_000)

  test "system time starts at the same moment in every run" do
    run(fn ->
      assert System.system_time(:second) == 1_704_067_200
      assert System.os_time(:second) == 1_704_067_200
      assert :erlang.universaltime() == {{2024, 1, 1}, {0, 0, 0}}
      assert :erlang.localtime() == {{2024, 1, 1}, {0, 0, 0}}
      assert {:erlang.date(), :erlang.time()} == {{2024, 1, 1}, {0, 0, 0}}
      assert :calendar.universal_time() == {{2024, 1, 1}, {0, 0, 0}}
      assert DateTime.utc_now() == ~U[2024-01-01 00:00:00.000000Z]
    end)
  end

  test "the clocks pass with virtual time" do
    run(fn ->
      readings = fn ->
        [System.monotonic_time(:millisecond), System.system_time(:millisecond), :os.system_time(:millisecond)]
      end

      before = readings.()
      Process.sleep(86_400_000)
      assert Enum.zip_with(readings.(), before, &-/2) == [86_400_000, 86_400_000, 86_400_000]
      assert :erlang.date() == {2024, 1, 2}
      assert Lockstep.now() == 86_400_000
    end)
  end

  test "monotonic time is negative, as the VM's is, and the offset leads to system time" do
    run(fn ->
      assert System.monotonic_time() < 0

      for unit <- [:second, :millisecond, :microsecond, :nanosecond, :native, 1000] do
        assert System.monotonic_time(unit) + System.time_offset(unit) == System.system_time(unit)
      end
    end)
  end

  test "now is different each time, timestamp is not" do
    run(fn ->
      assert :os.timestamp() == :erlang.timestamp()
      assert :erlang.timestamp() == {1704, 67_200, 0}
      assert apply(:erlang, :now, []) < apply(:erlang, :now, [])
    end)
  end

  test "the local time of every node is UTC" do
    Runner.run(
      fn ->
        assert :calendar.local_time() == {{2024, 1, 1}, {0, 0, 0}}
        assert :calendar.local_time_to_universal_time_dst(:calendar.local_time()) == [:calendar.universal_time()]
        assert :calendar.universal_time_to_local_time({{2030, 7, 1}, {12, 0, 0}}) == {{2030, 7, 1}, {12, 0, 0}}
        assert :calendar.system_time_to_local_time(0, :second) == {{1970, 1, 1}, {0, 0, 0}}
        assert :calendar.system_time_to_rfc3339(0) == ~c"1970-01-01T00:00:00+00:00"
        assert NaiveDateTime.local_now() == ~N[2024-01-01 00:00:00]
      end,
      seeds: 3,
      max_stall: 0,
      escapes: :raise
    )
  end

  test "units the VM does not know raise ArgumentError" do
    run(fn -> assert_raise ArgumentError, fn -> :erlang.monotonic_time(:fortnight) end end)
  end

  test "outside a run the clocks are those of the VM" do
    assert abs(System.system_time(:second) - :os.system_time(:second)) < 5
    assert :erlang.system_time(:second) > 1_704_067_200
  end
end
