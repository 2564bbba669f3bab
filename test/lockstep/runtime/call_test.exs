defmodule Lockstep.Runtime.CallTest do
  use ExUnit.Case, async: true
  use Lockstep

  alias Lockstep.{EscapeError, Runner}

  defp run(fun), do: Runner.run(fun, seeds: 3)

  defp escape(fun) do
    {:failed, failure} = Runner.explore(fun, seeds: 1)
    failure.error
  end

  test "calls of modules and functions in variables reach the simulation" do
    run(fn ->
      assert apply(:erlang, :self, []) == self()
      module = Enum.random([Process])
      ref = module.send_after(self(), :hello, 60_000)
      assert apply(Process, :cancel_timer, [ref]) in 0..60_000
      assert {:ok, agent} = apply(Agent, :start_link, [fn -> self() end])
      assert Agent.get(agent, & &1) == agent
    end)
  end

  test "captured functions do, too" do
    run(fn ->
      assert Enum.map([1], fn _ -> apply(&self/0, []) end) == [self()]
      register = Function.capture(Process, :register, 2)
      assert register.(self(), :me)
      assert Process.whereis(:me) == self()
      assert apply(&String.upcase/1, ["a"]) == "A"
    end)
  end

  test "a wrong number of arguments is the VM's error" do
    run(fn ->
      assert_raise BadArityError, fn -> apply(&self/0, [1]) end
      assert_raise UndefinedFunctionError, fn -> apply(Process, :register, []) end
    end)
  end

  test "what is not simulated is refused, with the place of the call" do
    module = Enum.random([:os])
    # Not in tail position: of a tail call the stack knows no place.
    error = escape(fn -> length(module.cmd(~c"true")) end)
    assert %EscapeError{module: :os, function: :cmd, arity: 1, location: {file, line}} = error
    assert to_string(file) =~ "call_test.exs"
    assert is_integer(line)
  end

  test "a refused call fails the run even if the program rescues it" do
    assert %EscapeError{function: :cmd} =
             escape(fn ->
               try do
                 :os.cmd(~c"true")
               rescue
                 _ -> :ok
               end
             end)
  end

  test "capturing a refused function is fine, calling it is not" do
    run(fn -> assert is_function(Function.capture(:os, :cmd, 1), 1) end)
    assert %EscapeError{function: :cmd} = escape(fn -> Function.capture(:os, :cmd, 1).(~c"true") end)
  end

  test "what describes the machine is constant" do
    run(fn ->
      assert System.schedulers_online() == 2
      assert :erlang.system_info(:wordsize) == 8
    end)

    assert %EscapeError{function: :system_info} = escape(fn -> :erlang.system_info(:process_count) end)
  end
end
