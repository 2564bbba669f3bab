defmodule Lockstep.Report.HintTest do
  use ExUnit.Case, async: true
  use Lockstep

  alias Lockstep.{Report, Runner}

  @hint "is the name of a process outside of the run, which a run does not see: start it in the test"

  setup do
    {:ok, _} = Agent.start_link(fn -> 0 end, name: __MODULE__)
    :ok
  end

  defp report(fun, options \\ []) do
    {:failed, failure} = Runner.explore(fun, [seeds: 1, shrink: false] ++ options)
    failure |> Report.format(200) |> String.replace(~r/\e\[[0-9;]*m/, "")
  end

  test "a process that only the host has: called, sent to, called by another process" do
    for {fun, options} <- [
          {fn -> Agent.get(__MODULE__, & &1) end, []},
          {fn -> send(__MODULE__, :hello) end, []},
          {fn -> spawn(fn -> GenServer.call(__MODULE__, :hello) end) && Process.sleep(1) end, [fail_on: [:crash]]},
          {fn -> Task.await(Task.async(fn -> Agent.get(__MODULE__, & &1) end)) end, []}
        ] do
      assert report(fun, options) =~ "#{inspect(__MODULE__)} #{@hint}"
    end
  end

  test "a name that nobody has, and other errors, come without" do
    refute report(fn -> Agent.get(:lk_hint_nobody, & &1) end) =~ @hint
    refute report(fn -> send(:lk_hint_nobody, :hello) end) =~ @hint
    refute report(fn -> raise "#{inspect(__MODULE__)}" end) =~ @hint
  end
end
