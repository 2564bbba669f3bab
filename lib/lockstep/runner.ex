defmodule Lockstep.Runner do
  @moduledoc """
  Runs a function under control, once for each seed.

      Lockstep.Runner.run(fn ->
        {:ok, counter} = Counter.start_link()
        tasks = for _ <- 1..2, do: Task.async(fn -> Counter.increment(counter) end)
        Task.await_many(tasks)
        assert Counter.value(counter) == 2
      end, seeds: 1..500)

  The function is the main process of the run. It runs on the control node `:nonode@nohost`, which is never
  partitioned and which the simulated nodes do not list. A run fails when the function raises, exits or throws, when
  nothing can run any more (`Lockstep.DeadlockError`), and when one of the limits below is passed.

  The function has to be in a module with `use Lockstep.Case` or `use Lockstep`, or be a named one (`&Mod.fun/0`).

  ## Options

  #{Lockstep.Options.docs()}

  The environment variables `LOCKSTEP_SEED`, `LOCKSTEP_SEEDS` (`200` or `1..500`), `LOCKSTEP_STRATEGY` and
  `LOCKSTEP_SHARD` (`2/4`) win over the options. `LOCKSTEP_REPLAY` names a stored failure (`Lockstep.Failures`) to run again, and `LOCKSTEP_FAILURES` where
  failures are stored.
  """

  alias Lockstep.{Failure, OptionError, Options, SometimesError, Summary}
  alias Lockstep.Report.Stack
  alias Lockstep.Runner.{Function, Location, Sweep}

  @calls {__MODULE__, :calls}

  @doc """
  Runs `fun` once a seed and returns a `Lockstep.Summary`; the first run that fails raises `Lockstep.Failure`.

  Raises `Lockstep.SometimesError` when no run fails, but none has met a condition of `Lockstep.sometimes/2` either.

  ## Examples

      summary = Lockstep.Runner.run(&MyApp.Scenario.transfer/0, seeds: 200, max_stall: 0)
      summary.runs
      #=> 200

  """
  @spec run((... -> term()), keyword()) :: Summary.t()
  def run(fun, opts \\ []) do
    case explore(fun, opts) do
      {:ok, summary} -> summary
      {:failed, failure} -> reraise failure, Stack.prune(caller())
    end
  end

  @doc """
  As `run/2`, but returns the failure instead of raising it: `{:ok, summary}` or `{:failed, failure}`.

  ## Examples

      {:failed, failure} = Lockstep.Runner.explore(&MyApp.Scenario.transfer/0)
      failure.seed
      #=> 17

  """
  @spec explore((... -> term()), keyword()) ::
          {:ok, Summary.t()} | {:failed, Failure.t() | SometimesError.t() | OptionError.t()}
  def explore(fun, opts \\ []) do
    check_outside!()
    options = Options.validate!(opts)
    Function.check!(fun)
    Sweep.run(fun, options, counted(Location.from_stacktrace(caller())))
  end

  # A test may call the runner several times; a failure that it stores is one of a certain call.
  defp counted(%{test: test} = location) when test != nil do
    call = Process.get(@calls, 0) + 1
    Process.put(@calls, call)
    Map.put(location, :call, call)
  end

  defp counted(location), do: location

  defp caller do
    {:current_stacktrace, [_process_info | trace]} = Process.info(self(), :current_stacktrace)
    trace
  end

  defp check_outside! do
    if Lockstep.Runtime.Context.inside?() do
      raise ArgumentError,
            "a run inside a run: the process that asked for it is already under control; " <>
              "start runs from an ordinary test, without the lockstep: tag"
    end
  end
end
