defmodule Lockstep.Runtime.CallTest do
  use ExUnit.Case, async: true
  use Lockstep

  alias Lockstep.{EscapeError, Runner}

  defp run(fun), do: Runner.run(fun, seeds: 3)

  defp escape(fun) do
    {:failed, failure} = Runner.explore(fun, seeds: 1, escapes: :raise)
    failure.error
  end

  defp escapes(fun), do: Runner.run(fun, seeds: 2, escapes: :allow).escapes

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

  test "what is not simulated is an escape, with the place of the call" do
    module = Enum.random([:os])
    # Not in tail position: of a tail call the stack knows no place.
    error = escape(fn -> length(module.cmd(~c"true")) end)
    assert %EscapeError{module: :os, function: :cmd, arity: 1, location: {file, line}} = error
    assert to_string(file) =~ "call_test.exs"
    assert is_integer(line)
  end

  test "an escape is made and counted, unless it is to fail the run" do
    assert [{{:os, :cmd, 1, {file, line}}, 2}] =
             Enum.to_list(escapes(fn -> assert :os.cmd(~c"echo a") == ~c"a\n" end))

    assert {Path.basename(to_string(file)), is_integer(line)} == {"call_test.exs", true}
    assert escapes(fn -> :os.type() end) == %{}
  end

  test "an escape is warned of once" do
    sweep = fn -> Runner.run(fn -> File.exists?("mix.exs") end, seeds: 3) end
    assert ExUnit.CaptureIO.capture_io(:stderr, sweep) =~ ~r/File\.exists\?\/1 .*\(called at.*call_test\.exs:\d+\)/s
    assert ExUnit.CaptureIO.capture_io(:stderr, sweep) == ""
    assert to_string(sweep.()) =~ "reproducibility is not guaranteed: 3 calls outside of control"
  end

  test "a program's own implementations of Elixir's protocols are under control" do
    run(fn ->
      label = %Label{to: self()}
      me = self()
      assert "#{label} #{to_charlist(label)} #{Enum.join([label], ",")}" == "label label label"
      for tag <- [:to_string, :to_charlist, :to_string], do: assert_receive({^tag, ^me})
      assert label[:key] == {:key, me}
      assert_receive {:fetched, {:key, ^me}}
    end)
  end

  test "a few functions are refused whatever the option says" do
    assert {:failed, %{error: %EscapeError{module: :erlang, function: :halt, never?: true}}} =
             Runner.explore(fn -> System.halt(1) end, seeds: 1, escapes: :allow)
  end

  test "a closure made by uninstrumented code is an escape when it is called" do
    {evaluated, _} = Code.eval_string("fn -> :evaluated end")
    compiled = Walk.closure()

    for {closure, module, value} <- [{evaluated, :erl_eval, :evaluated}, {compiled, Walk, :compiled}] do
      assert %{arity: 0, module: ^module} = escape(fn -> closure.() end)
      assert [{{^module, _, 0, _}, 2}] = Enum.to_list(escapes(fn -> assert closure.() == value end))
    end
  end

  test "an escape fails the run even if the program rescues it" do
    assert %EscapeError{function: :cmd} =
             escape(fn ->
               try do
                 :os.cmd(~c"true")
               rescue
                 _ -> :ok
               end
             end)
  end

  test "capturing a function is fine, calling it is an escape" do
    run(fn -> assert is_function(Function.capture(:os, :cmd, 1), 1) end)
    assert %EscapeError{function: :cmd} = escape(fn -> Function.capture(:os, :cmd, 1).(~c"true") end)
  end

  test "what describes the machine is constant" do
    run(fn ->
      assert System.schedulers_online() == 2
      assert :erlang.system_info(:wordsize) == 8
      spawn(fn -> Process.sleep(5) end)
      assert :erlang.system_info(:process_count) == 2
      Process.sleep(10)
      assert :erlang.system_info(:process_count) == 1
      assert {time, time} = :erlang.statistics(:wall_clock)
      assert time >= 10
      assert {_, 0} = :erlang.statistics(:wall_clock)
      assert Process.get() == []
    end)

    assert %EscapeError{function: :system_info} = escape(fn -> :erlang.system_info(:atom_count) end)
  end
end
