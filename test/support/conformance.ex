defmodule Lockstep.Support.Conformance do
  @moduledoc false
  # Conformance programs: the plain VM and Lockstep have to agree on them.

  import ExUnit.Assertions

  alias Lockstep.Support.{Oracle, Outside}

  @attempts 5

  defmacro __using__(_opts) do
    quote do
      # The way out of a run is one for the whole VM.
      use ExUnit.Case, async: false
      use Lockstep
      import Lockstep.Support.Conformance
      import Conformance.Helpers

      @moduletag :capture_log
    end
  end

  @doc "The program has one outcome, the same on both sides."
  defmacro check(program) do
    quote do: Lockstep.Support.Conformance.same!(unquote(telling(program)))
  end

  @doc "What the VM was seen to do is among what Lockstep does; all outcomes of Lockstep."
  defmacro check_among(program) do
    quote do: Lockstep.Support.Conformance.among!(unquote(telling(program)))
  end

  # Written where the program is, in an instrumented module: only such a function can be run.
  defp telling(program) do
    quote do: fn -> unquote(program).() |> tap(&unquote(Outside).tell_if_inside/1) end
  end

  @doc false
  def same!(program) do
    {native, inside} = Oracle.outcomes(program)
    native = settled(program, native)
    assert inside == native
    assert length(native) == 1, "the VM itself gives several outcomes: #{inspect(native)}"
  end

  # Where the VM disagrees with itself, another program on the machine may have kept it from running for longer than a
  # timeout. Then it is asked again and again, and what it does now and then only does not count; a race of the program
  # itself would go on to show.
  defp settled(_program, [outcome]), do: [outcome]

  defp settled(program, _outcomes) do
    counts = Enum.frequencies(for _ <- 1..@attempts, outcome <- Oracle.runs(program), do: outcome)
    most = div(Enum.sum(Map.values(counts)) * 3, 4)
    for({outcome, count} when count >= most <- counts, do: outcome) |> seldom(counts)
  end

  defp seldom([], counts), do: counts |> Map.keys() |> Enum.sort()
  defp seldom(outcomes, _counts), do: outcomes

  @doc false
  def among!(program) do
    {native, inside} = Oracle.outcomes(program)
    assert native -- inside == [], "the VM gave #{inspect(native)}, Lockstep only #{inspect(inside)}"
    inside
  end
end
