defmodule Lockstep.Runtime.StackTest do
  # Stack traces of code under test are those of the original modules, whatever the code they are made in.
  use Lockstep.Case, async: true

  @moduletag lockstep: [seeds: 1..2]

  defmodule Program do
    def waits(to), do: {receive(do: (:never -> 1)), to}
    def waits_in_fun(to), do: [1] |> Enum.map(fn x -> {receive(do: (^x -> x)), to} end)
    def waits_in_loop(to), do: {for(x <- [1, 2], do: receive(do: (^x -> x))), to}

    def fails_in_receive do
      send(self(), 1)
      {receive(do: (x when node(x) == node() -> x), after: (0 -> fails())), 1}
    end

    def fails, do: {String.to_existing_atom("no such atom " <> "exists"), 1}
    def bad_send, do: send(:nobody_is_called_this, 1)
    def bad_timer(to), do: Process.send_after(to, :message, -1)
    def bad_register(pid), do: {:erlang.register(:undefined, pid), 1}
    def bad_table, do: :ets.lookup(:no_such_table, 1)
    def here, do: {Process.info(self(), :current_stacktrace), 1}
    def here_in_list, do: Enum.map([1], fn _ -> [Process.info(self(), [:current_stacktrace, :current_function])] end)
    def bad_apply(module), do: module.function(1)
  end

  defp short(stack) do
    for {module, function, arity, location} <- stack do
      {module, function, if(is_list(arity), do: length(arity), else: arity), Path.basename("#{location[:file]}")}
    end
  end

  defp raised(function, arguments) do
    apply(Program, function, arguments)
  rescue
    error -> {error, short(__STACKTRACE__), __STACKTRACE__}
  end

  @file_name "stack_test.exs"

  test "of exceptions" do
    assert {%ArgumentError{}, [{:erlang, :binary_to_existing_atom, _, _}, {Program, :fails, 0, @file_name} | _],
            stack} = raised(:fails, [])

    refute Exception.format_stacktrace(stack) =~ "lockstep:"

    assert {_, [{:erlang, _, _, _}, {Program, :fails, 0, _}, {Program, :fails_in_receive, 0, @file_name} | rest], _} =
             raised(:fails_in_receive, [])

    refute match?([{Program, :fails_in_receive, 0, _} | _], rest)
  end

  test "of functions of the VM show the function, its arguments and where it was called" do
    assert {%ArgumentError{} = error, [{:erlang, :send, 2, _}, {Program, :bad_send, 0, @file_name} | _], stack} =
             raised(:bad_send, [])

    assert [{:erlang, :send, [:nobody_is_called_this, 1], _}, {Program, :bad_send, 0, [file: _, line: line]} | _] =
             stack

    assert line > 10
    assert Exception.format(:error, error, stack) =~ ":erlang.send(:nobody_is_called_this, 1)"
    assert {_, [{:erlang, :send_after, _, _} | _], _} = raised(:bad_timer, [self()])
    assert {_, [{:erlang, :register, 2, _} | _], _} = raised(:bad_register, [self()])
    assert {_, [{:ets, :lookup, 2, _}, {Program, :bad_table, 0, @file_name} | _], _} = raised(:bad_table, [])
    assert {_, [{:erlang, :apply, 3, _}, {Program, :bad_apply, 1, @file_name} | _], _} = raised(:bad_apply, [1])
  end

  test "of exit reasons" do
    {pid, monitor} = spawn_monitor(fn -> Program.bad_send() end)
    assert_receive {:DOWN, ^monitor, :process, ^pid, {:badarg, stack}}
    assert [{:erlang, :send, 2, _}, {Program, :bad_send, 0, @file_name} | _] = short(stack)
  end

  test "of processes" do
    assert {{:current_stacktrace, stack}, 1} = Program.here()
    assert [{Process, :info, 2, _}, {Program, :here, 0, @file_name}, {__MODULE__, _, 1, _} | _] = short(stack)
    assert [[[current_stacktrace: stack, current_function: {Process, :info, 2}]]] = Program.here_in_list()
    assert [{Process, :info, 2, _}, {Program, :"-here_in_list/0-fun-0-", 1, @file_name} | _] = short(stack)

    for {function, expected} <- [
          waits: ~r/^waits$/,
          waits_in_fun: ~r/^-waits_in_fun.1-fun-0-$/,
          waits_in_loop: ~r/^-waits_in_loop.1-(fun|lc)/
        ] do
      pid = spawn(Program, function, [self()])
      Process.sleep(10)
      {:current_stacktrace, stack} = Process.info(pid, :current_stacktrace)
      assert [{Program, name, _, @file_name} | _] = short(stack)
      assert Atom.to_string(name) =~ expected
      assert hd(stack) |> elem(3) |> Keyword.fetch!(:line) > 5
    end
  end
end
