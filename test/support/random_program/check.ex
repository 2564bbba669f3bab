defmodule RandomProgram.Check do
  @moduledoc false
  # What a program comes to on the plain VM has to be among what it comes to inside Lockstep.

  alias Lockstep.Support.Sight
  alias RandomProgram.Generator

  # Undisturbed and with others that want to run, too.
  @native_runs [:calm, :calm, :busy]
  @spinners 2
  # Seeds to begin with, and to go on with while something that the VM did has not been seen.
  @seeds 12
  @patience 30_000
  # How often the VM is asked again before something counts as a difference.
  @confirmations 5
  # How many programs run natively at a time: most of the time they wait.
  @batch 40

  @type outcomes :: MapSet.t()
  @type simulate :: (RandomProgram.t(), pos_integer(), keyword() -> term())

  @doc """
  Checks the programs with these numbers; the differences, each with the smallest program that shows it.

  `patience` is how many seeds may be needed to see inside what the VM has done.
  """
  @spec differences(Enumerable.t(), simulate(), pos_integer()) :: [map()]
  def differences(numbers, simulate, patience \\ @patience) do
    numbers
    |> Enum.chunk_every(@batch)
    |> Enum.flat_map(fn numbers ->
      numbers |> Enum.map(&Generator.program/1) |> different(simulate, patience) |> Enum.zip(numbers)
    end)
    |> Enum.filter(fn {difference, _number} -> difference end)
    |> Enum.map(fn {difference, number} -> shrunk(difference, number, simulate, patience) end)
  end

  defp shrunk(difference, number, simulate, patience) do
    smaller = fn program ->
      [difference] = different([program], simulate, patience)
      difference
    end

    Map.put(Generator.shrink(difference, smaller), :number, number)
  end

  # For each program what the VM did and Lockstep does not do, or nil.
  defp missing(programs, simulate, patience) do
    native = natively(programs)
    pairs = Enum.zip(programs, native)

    pairs
    |> Task.async_stream(fn {program, native} -> compare(program, native, simulate, patience) end, timeout: :infinity)
    |> Enum.map(fn {:ok, difference} -> difference end)
  end

  # A program on a machine that is busy with other things may see a timer of 5 ms after one of 20. Lockstep holds
  # processes back, and not timers, so what the VM did once and does not do again does not count.
  defp different(programs, simulate, patience) do
    programs
    |> missing(simulate, patience)
    |> Enum.map(fn difference -> difference && confirmed(difference) end)
  end

  defp confirmed(%{program: program} = difference) do
    again = for _ <- 1..@confirmations, outcome <- hd(natively([program])), into: MapSet.new(), do: outcome
    native = MapSet.intersection(difference.native, again)
    if MapSet.size(native) > 0, do: %{difference | native: native}
  end

  defp compare(program, native, simulate, patience) do
    inside = for seed <- 1..@seeds, into: MapSet.new(), do: simulate.(program, seed, options(seed))

    inside =
      Enum.reduce_while((@seeds + 1)..patience//1, inside, fn seed, inside ->
        if MapSet.subset?(native, inside) do
          {:halt, inside}
        else
          {:cont, MapSet.put(inside, simulate.(program, seed, options(seed)))}
        end
      end)

    missing = MapSet.difference(native, inside)
    if MapSet.size(missing) > 0, do: %{program: program, native: missing, inside: inside}
  end

  # On a busy VM signals between two processes, and timers, may be late; so each has its share.
  defp options(seed) do
    [delivery: Enum.at([:instant, :async], rem(seed, 2)), max_stall: Enum.at([0, 0, 100, 100], rem(seed, 4))]
  end

  defp natively(programs) do
    runs = for run <- @native_runs, do: disturbed(run, fn -> side_by_side(programs) end)
    Enum.zip_with(runs, &MapSet.new/1)
  end

  # Names are registered for all of the VM, so each place has its own.
  defp side_by_side(programs) do
    programs
    |> Enum.with_index()
    |> Enum.map(fn {program, place} ->
      Task.async(fn -> outcome(&RandomProgram.run(program, names(place), &1)) end)
    end)
    |> Task.await_many(60_000)
  end

  @doc "The outcome of a program that `run` runs: for each process what it saw, and how it ended."
  @spec outcome((:ets.tid() -> [{non_neg_integer(), term()}])) :: [{[term()], term()}]
  def outcome(run) do
    sight = Sight.new()
    outcome = for {number, reason} <- run.(sight), do: {Sight.of(sight, number), reason}
    :ets.delete(sight)
    outcome
  end

  defp names(place), do: [:"random_program_#{place}_a", :"random_program_#{place}_b"]

  defp disturbed(:calm, fun), do: fun.()

  defp disturbed(:busy, fun) do
    spinners = for _ <- 1..@spinners, do: spawn(fn -> spin() end)
    result = fun.()
    Enum.each(spinners, &Process.exit(&1, :kill))
    result
  end

  defp spin, do: spin()

  @doc "A difference, for people."
  @spec describe(map()) :: String.t()
  def describe(difference) do
    scripts =
      for {script, process} <- Enum.with_index(difference.program) do
        "  process #{process}: #{Enum.map_join(script, ", ", &inspect/1)}\n"
      end

    """
    program #{difference.number}, shrunk to
    #{scripts}
    on the VM, and not inside:
    #{outcomes(difference.native)}
    inside, among others:
    #{outcomes(Enum.take(difference.inside, 5))}
    """
  end

  defp outcomes(outcomes), do: Enum.map_join(outcomes, "\n", &("  " <> inspect(&1, limit: :infinity, width: 110)))
end
