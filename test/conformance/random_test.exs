defmodule Conformance.RandomTest do
  # Random programs on the plain VM and inside Lockstep; see test/support/random_program.ex.
  #
  #     LOCKSTEP_RANDOM_PROGRAMS=100000 mix test test/conformance/random_test.exs
  use ExUnit.Case, async: false
  use Lockstep

  alias Lockstep.{Options, Simulation}
  alias RandomProgram.Check

  @moduletag timeout: :infinity

  # Crashes are a part of these programs: nobody wants to read of thousands.
  setup do
    %{level: level} = :logger.get_primary_config()
    :logger.set_primary_config(:level, :none)
    on_exit(fn -> :logger.set_primary_config(:level, level) end)
  end

  defp simulate(program, seed, options) do
    Check.outcome(fn sight ->
      run = fn -> RandomProgram.run(program, [:a, :b], sight) end
      %{outcome: :ok, value: ends} = Simulation.run(run, config(seed, options))
      ends
    end)
  end

  defp config(seed, options) do
    [escapes: :raise] |> Keyword.merge(options) |> Options.validate!(%{}) |> Simulation.config(seed, false)
  end

  defp count, do: String.to_integer(System.get_env("LOCKSTEP_RANDOM_PROGRAMS", "2000"))

  test "what the VM does with random programs is among what they do inside" do
    differences = Check.differences(1..count(), &simulate/3)
    assert differences == [], Enum.map_join(differences, "\n", &Check.describe/1)
  end

  # Negative controls: simulations that get one thing wrong.

  defp wrong(change), do: fn program, seed, options -> program |> simulate(seed, options) |> Enum.map(change) end

  test "a simulation that loses what monitors say is found out" do
    lossy = wrong(fn {seen, reason} -> {Enum.reject(seen, &match?({:DOWN, _, _}, &1)), reason} end)
    assert [%{program: program} | _] = some_differences(lossy)
    # Mostly 4; on a busy machine the VM may not show the difference again in the smallest.
    assert program |> List.flatten() |> length() <= 15
  end

  test "a simulation that mistakes the reason of an exit is found out" do
    mistaken = wrong(fn {seen, reason} -> {seen, if(reason == :killed, do: :kill, else: reason)} end)
    assert [_ | _] = some_differences(mistaken)
  end

  # On a busy machine the VM may not be sure of what it does, and then a program says nothing.
  defp some_differences(wrong) do
    Enum.find_value(0..9, [], fn block ->
      differences = Check.differences((80 * block + 1)..(80 * block + 80), wrong, 40)
      if differences != [], do: differences
    end)
  end
end
