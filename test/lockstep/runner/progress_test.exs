defmodule Lockstep.Runner.ProgressTest do
  # Only one sweep at a time has the progress line.
  use ExUnit.Case, async: false

  alias Lockstep.Runner.Progress

  defp output(opts, fun) do
    {:ok, device} = StringIO.open("")
    progress = Progress.start(500, [device: device, width: 80] ++ opts)
    fun.(progress, device)
    Progress.stop(progress)
    {:ok, {_input, output}} = StringIO.close(device)
    output
  end

  defp wait_for(device, text) do
    {_input, output} = StringIO.contents(device)
    unless output =~ text, do: Process.sleep(1) && wait_for(device, text)
  end

  test "prints one line that is rewritten, and clears it" do
    output =
      output([delay: 0, interval: 1], fn progress, device ->
        Progress.update(progress, 10, 3)
        wait_for(device, "10 of 500 runs")
        Progress.update(progress, 1, 1)
        wait_for(device, "1 distinct schedule\r")
      end)

    refute output =~ "\n"
    assert output =~ "\r\e[2Klockstep: 10 of 500 runs, "
    assert String.ends_with?(output, "\r\e[2K")
  end

  test "says that a run has failed and is made smaller" do
    output([delay: 0, interval: 1], fn progress, device ->
      Progress.update(progress, 194, 3)
      wait_for(device, "194 of 500 runs")
      Progress.failed(progress)
      wait_for(device, "lockstep: run 194 of 500 fails; looking for the shortest way to the failure\r")
    end)
  end

  test "prints nothing for a sweep that is over soon" do
    assert output([], fn progress, _device -> Progress.update(progress, 500, 2) end) == ""
  end

  test "starts a line of its own beside other output" do
    output = output([delay: 0, fresh_line: true], fn _progress, device -> wait_for(device, "lockstep") end)
    assert String.starts_with?(output, "\n\r")
  end

  test "is silent while another sweep has the line" do
    output([delay: 0, interval: 1], fn _progress, device ->
      wait_for(device, "lockstep")
      assert output([delay: 0, interval: 1], fn _progress, _device -> Process.sleep(20) end) == ""
    end)
  end

  test "ends with the process that it is for" do
    {:ok, device} = StringIO.open("")
    {:ok, owner} = Agent.start(fn -> Progress.start(500, device: device, delay: 0) end)
    %{pid: pid} = Agent.get(owner, & &1)
    ref = Process.monitor(pid)
    Agent.stop(owner)
    assert_receive {:DOWN, ^ref, :process, ^pid, :normal}
  end

  test "prints nothing where nobody watches" do
    assert Progress.start(500) == nil or IO.ANSI.enabled?()
  end

  test "preparing_line/2 says that modules are being instrumented, and fits" do
    assert Progress.preparing_line(1, 80) == "lockstep: instrumenting, 1 module so far; the next time they are there"
    assert String.length(Progress.preparing_line(12, 30)) == 29
  end

  test "line/5 has the counts, the rate and the distinct schedules, and fits" do
    assert Progress.line(1234, 20_000, 1200, 2_000, 80) ==
             "lockstep: 1,234 of 20,000 runs, 617 a second, 1,200 distinct schedules"

    assert String.length(Progress.line(1234, 20_000, 1200, 2_000, 30)) == 29
  end
end
