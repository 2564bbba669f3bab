defmodule LockstepTest do
  # Not instrumented: these functions are for modules that are not.
  use ExUnit.Case, async: true

  alias Lockstep.{OutsideRunError, Runner}

  # Named, for the function of a run has to be instrumented: as a named one it is called in the module's copy.
  defp run(function), do: Runner.run(Function.capture(__MODULE__, function, 0), seeds: 20)

  test "processes, messages and links" do
    run(:messages)
  end

  @doc false
  def messages do
    parent = Lockstep.self()
    pid = Lockstep.spawn(fn -> Lockstep.send(parent, {:from, Lockstep.self()}) end)
    assert Lockstep.recv() == {:from, pid}
    Lockstep.spawn(__MODULE__, :tell, [parent, :mfa])
    assert Lockstep.recv() == :mfa
    Process.flag(:trap_exit, true)
    linked = Lockstep.spawn_link(fn -> exit(:boom) end)
    assert Lockstep.recv() == {:EXIT, linked, :boom}
    linked = Lockstep.spawn_link(__MODULE__, :tell, [parent, :linked])
    assert Enum.sort([Lockstep.recv(), Lockstep.recv()]) == Enum.sort([:linked, {:EXIT, linked, :normal}])
    waiting = Lockstep.spawn(fn -> Lockstep.recv() end)
    assert Lockstep.link(waiting)
    assert Lockstep.unlink(waiting)
  end

  @doc false
  def tell(pid, message), do: Lockstep.send(pid, message)

  test "monitors" do
    run(:monitors)
  end

  @doc false
  def monitors do
    {pid, ref} = Lockstep.spawn_monitor(fn -> exit(:boom) end)
    assert Lockstep.recv() == {:DOWN, ref, :process, pid, :boom}
    {pid, ref} = Lockstep.spawn_monitor(__MODULE__, :tell, [Lockstep.self(), :hello])
    assert Lockstep.recv() == :hello
    assert Lockstep.recv() == {:DOWN, ref, :process, pid, :normal}
    ref = Lockstep.monitor(pid)
    assert Lockstep.recv() == {:DOWN, ref, :process, pid, :noproc}
    ref = Lockstep.monitor(Lockstep.spawn(fn -> Lockstep.recv() end))
    assert Lockstep.demonitor(ref, [:flush, :info])
    assert Lockstep.demonitor(ref)
    assert Lockstep.recv(10) == :timeout
  end

  test "time" do
    run(:time)
  end

  @doc false
  def time do
    from = Lockstep.now()
    assert Lockstep.recv(50) == :timeout
    assert Lockstep.now() - from >= 50
    timer = Lockstep.send_after(Lockstep.self(), :never, 500)
    assert Lockstep.cancel_timer(timer) in 0..500
    refute Lockstep.cancel_timer(timer)
    Lockstep.send_after(Lockstep.self(), :kept, 10)
    assert Lockstep.sleep(20) == :ok
    assert Lockstep.recv() == :kept
  end

  test "every function says so when it is called outside a run" do
    calls = [
      fn -> Lockstep.self() end,
      fn -> Lockstep.spawn(fn -> :ok end) end,
      fn -> Lockstep.spawn_link(fn -> :ok end) end,
      fn -> Lockstep.spawn_monitor(fn -> :ok end) end,
      fn -> Lockstep.send(self(), :x) end,
      fn -> Lockstep.send_after(self(), :x, 1) end,
      fn -> Lockstep.cancel_timer(make_ref()) end,
      fn -> Lockstep.recv() end,
      fn -> Lockstep.monitor(self()) end,
      fn -> Lockstep.demonitor(make_ref()) end,
      fn -> Lockstep.link(self()) end,
      fn -> Lockstep.unlink(self()) end,
      fn -> Lockstep.now() end,
      fn -> Lockstep.sleep(1) end
    ]

    for call <- calls do
      error = assert_raise OutsideRunError, call
      assert Exception.message(error) =~ ~r"^Lockstep\.\w+/\d was called outside a run; "
    end
  end
end
