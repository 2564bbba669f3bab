defmodule Lockstep.Instrument.InPlaceTest do
  use ExUnit.Case, async: true

  alias Lockstep.Instrument

  defmodule Sample do
    @compile {:core_transform, Lockstep.Instrument.InPlace}

    defstruct [:pid]

    def here?(pid) when node(pid) == node() and pid == self(), do: true
    def here?(_), do: false

    def echo(message) do
      send(self(), {:other, message})
      send(self(), {:echo, message})

      receive do
        {:echo, reply} -> receive(do: ({:other, ^reply} -> reply))
      after
        1_000 -> :timeout
      end
    end

    def roundtrip do
      parent = self()
      {:ok, agent} = Agent.start_link(fn -> %__MODULE__{pid: parent} end)
      task = Task.async(fn -> Agent.get(agent, & &1.pid) end)
      {Task.await(task), Agent.stop(agent)}
    end

    def dynamic(module, arguments), do: apply(module, :reverse, arguments)
    # The optimiser makes literals of such terms, captured functions included.
    def literals(value) do
      map = Map.put(%{fun: &__MODULE__.sum/1, list: [&Enum.sum/1, 1]}, :value, value)
      {map, {:tuple, &String.upcase/1, [a: %{b: &Process.sleep/1}]}}
    end

    def captured, do: Enum.map([[1, 2], [3]], &__MODULE__.sum/1)
    def sum(list), do: Enum.sum(list)

    def fail do
      send(self(), :go)
      wait()
    rescue
      error -> {error, __STACKTRACE__}
    end

    defp wait do
      receive do
        :go -> raise "failed"
      end
    end
  end

  test "the module is marked, and is its own guest" do
    assert Instrument.in_place?(Sample)
    assert Instrument.guest(Sample) == Sample
    refute Instrument.in_place?(__MODULE__)
    refute Instrument.in_place?(No.Such.Module)
  end

  test "outside a simulation it does what it did before" do
    assert Sample.here?(self())
    refute Sample.here?(make_ref())
    assert Sample.echo(:hello) == :hello
    assert Sample.roundtrip() == {self(), :ok}
    assert Sample.dynamic(:lists, [[1, 2]]) == [2, 1]
    assert Sample.captured() == [3, 3]

    assert {%{fun: sum, list: [_, 1], value: 7}, {:tuple, upcase, [a: %{b: sleep}]}} = Sample.literals(7)
    assert {sum.([1, 2]), upcase.("a"), sleep.(0)} == {3, "A", :ok}
    assert Sample.__struct__() == %Sample{}
  end

  test "an escape names its place" do
    source = """
    defmodule Lockstep.InPlaceTest.Escaping do
      def read(path), do: File.read(path)
    end
    """

    [{module, bytecode}] = Code.compile_string(source, "escaping.ex")

    core =
      bytecode
      |> then(&Lockstep.Instrument.Source.core!(module, &1))
      |> Lockstep.Instrument.Transform.module(:in_place)

    locations = :cerl_trees.fold(&(escapes(&1) ++ &2), [], core)
    assert [{~c"escaping.ex", 2}] = locations
  end

  defp escapes(tree) do
    with :call <- :cerl.type(tree), Lockstep.Runtime.Escape <- :cerl.concrete(:cerl.call_module(tree)) do
      [tree |> :cerl.call_args() |> List.last() |> :cerl.concrete()]
    else
      _ -> []
    end
  end

  test "its stack traces name its own functions and lines" do
    {error, [{Sample, :wait, 0, location} | _]} = Sample.fail()
    assert error == %RuntimeError{message: "failed"}
    assert Path.basename(to_string(location[:file])) == "in_place_test.exs"
    assert location[:line] > 0
  end
end
