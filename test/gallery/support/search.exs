defmodule Gallery.Search do
  @moduledoc """
  How many runs it takes to find the bug of a program.

  A sweep has seeds of its own: the n-th begins at n * 1,000,000 + 1. So its result depends on nothing but the program,
  the strategy and Lockstep.
  """

  alias Lockstep.Runner

  @apart 1_000_000

  @typedoc "The number of the run that failed, or `:none` of those allowed."
  @type found :: pos_integer() | :none

  @doc """
  Looks for the bug in so many sweeps of so many runs at most; what each took, in the order of the sweeps.
  """
  @spec sweeps(map(), term(), pos_integer(), pos_integer()) :: [found()]
  def sweeps(program, strategy, sweeps, runs) do
    1..sweeps
    |> in_parallel(fn sweep ->
      first = sweep * @apart + 1
      program |> explore(:buggy, strategy, first..(first + runs - 1)) |> found(program)
    end)
    |> Enum.map(&checked!(&1, program))
  end

  @doc "Runs the corrected program under the seeds 1 to `runs`: `:ok`, or the first failure."
  @spec twin(map(), term(), pos_integer()) :: :ok | {:failed, Exception.t()}
  def twin(program, strategy, runs) do
    1..runs
    |> Enum.chunk_every(500)
    |> in_parallel(&explore(program, :fixed, strategy, &1))
    |> Enum.find_value(:ok, fn outcome -> if match?({:failed, _}, outcome), do: outcome end)
  end

  @typedoc """
  What the search of all interleavings came to: the number of the one that fails, how many there are if all are clean,
  or more than were allowed.
  """
  @type explored :: {:found, pos_integer()} | {:failed, Exception.t()} | {:all, pos_integer()} | :more | :refused

  @doc """
  Explores all interleavings of the bug, and all of its twin, of each `most` at most. A program whose options ask for what
  only seeds can give is refused.
  """
  @spec interleavings(map(), pos_integer()) :: [explored()]
  def interleavings(program, most) do
    [bug, twin] = in_parallel([:buggy, :fixed], &exhaust(program, &1, most))
    [bug |> found_among_all(program) |> checked!(program), twin]
  end

  defp exhaust(program, variant, most) do
    options = Keyword.merge(program.options, [strategy: :exhaustive, max_runs: most] ++ plain())

    case Runner.explore(Function.capture(program.module, variant, 0), options) do
      {:ok, %{exhausted: :all, runs: runs}} -> {:all, runs}
      {:ok, %{exhausted: :limit}} -> :more
      {:failed, failure} -> {:failed, failure}
    end
  rescue
    Lockstep.OptionError -> :refused
  end

  defp found_among_all({:failed, failure}, program) do
    with number when is_integer(number) <- found({:failed, failure}, program), do: {:found, number}
  end

  defp found_among_all(clean, _program), do: clean

  @doc "The median of what sweeps took, and the worst. One that has found nothing is worse than any other."
  @spec summary([found()]) :: %{median: found(), worst: found(), missed: non_neg_integer()}
  def summary(found) do
    # A number is less than an atom.
    sorted = Enum.sort(found)

    %{
      median: Enum.at(sorted, div(length(sorted) - 1, 2)),
      worst: List.last(sorted),
      missed: Enum.count(sorted, &(&1 == :none))
    }
  end

  defp explore(program, variant, strategy, seeds) do
    options = Keyword.merge(program.options, [strategy: strategy, seeds: seeds] ++ plain())
    Runner.explore(Function.capture(program.module, variant, 0), options)
  end

  # Nothing is done with a failure besides finding it; the sweeps are made several at a time, and not their runs.
  defp plain, do: [shrink: false, failures: false, concurrency: 1]

  defp found({:ok, _summary}, _program), do: :none

  defp found({:failed, failure}, program) do
    if class(failure.error) in program.fails and failure.nondeterminism == nil do
      failure.run
    else
      {:otherwise, Exception.message(failure)}
    end
  end

  defp checked!({:otherwise, report}, program) do
    raise "#{program.name} failed otherwise than by its bug, which is #{inspect(program.fails)}: " <> report
  end

  defp checked!(found, _program), do: found

  defp class({:crash, :error, %module{}, _trace}), do: module
  defp class({:crash, :error, reason, _trace}), do: Exception.normalize(:error, reason).__struct__
  defp class({:crash, kind, _reason, _trace}), do: kind
  defp class(%module{}), do: module

  defp in_parallel(items, fun) do
    items
    |> Task.async_stream(fun, timeout: :infinity, ordered: true)
    |> Enum.map(fn {:ok, result} -> result end)
  end
end
