defmodule Lockstep.HostTest do
  use ExUnit.Case, async: true
  use Lockstep

  alias Lockstep.Runner

  defp run(fun), do: Runner.run(fun, seeds: 2, escapes: :raise)

  test "what is done there is done for real, and is no escape" do
    summary =
      run(fn ->
        inside = self()
        {outside, answer} = Lockstep.host(fn -> {self(), File.regular?("mix.exs")} end)
        assert answer
        assert outside != inside
        refute Lockstep.host(fn -> Process.alive?(inside) end)
      end)

    assert summary.escapes == %{}
  end

  test "its failures are raised where it was called" do
    run(fn ->
      assert_raise RuntimeError, "outside", fn -> Lockstep.host(fn -> raise "outside" end) end
      assert catch_throw(Lockstep.host(fn -> throw(:ball) end)) == :ball
      assert catch_exit(Lockstep.host(fn -> Process.exit(self(), :kill) end)) == :killed
    end)
  end

  test "its process sends for real, and ends with the call" do
    test = self()
    run(fn -> Lockstep.host(fn -> send(test, {:outside, self()}) end) end)
    assert_receive {:outside, pid}
    refute Process.alive?(pid)
  end

  test "a process of the host is none of a run, whatever is asked of it" do
    host = self()

    run(fn ->
      for fun <- [
            &Process.alive?/1,
            &Process.info/1,
            &Process.info(&1, :links),
            &Process.link/1,
            &Process.monitor/1,
            &Process.exit(&1, :kill),
            &Process.send_after(&1, :late, 1),
            &GenServer.call(&1, :question)
          ] do
        error = assert_raise ArgumentError, fn -> fun.(host) end
        assert Exception.message(error) =~ "the process is not one of this run"
        assert Exception.message(error) =~ "start it in the function that is run"
      end
    end)
  end

  test "the watchdog does not count its time" do
    Runner.run(fn -> Lockstep.host(fn -> Process.sleep(300) end) end, seeds: 1, watchdog: 100)
  end

  test "outside of a run it is just called" do
    assert Lockstep.host(&self/0) == self()
  end
end
