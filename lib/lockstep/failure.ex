defmodule Lockstep.Failure do
  @moduledoc """
  A run that failed: raised by `Lockstep.Runner.run/2`, returned by `Lockstep.Runner.explore/2`.

  Its message is the whole report, with the one line that replays the run. Fields:

    * `:seed` - the seed that failed
    * `:run` - which run of the sweep that was, from 1
    * `:strategy` - the strategy, as it was asked for
    * `:chosen` - the strategy that the seed had: of the portfolio `:surw`, `:pos`, `{:pct, depth}` or `:random`
    * `:error` - what failed: `{:crash, kind, reason, stacktrace}` when the function itself raised, exited or threw,
      otherwise an exception such as `Lockstep.DeadlockError`
    * `:result` - the recorded run: its events, processes, choices and trace
    * `:shrunk` - a smaller run that fails the same way (`Lockstep.Shrink`), or `nil`: with `shrink: false`, for a run
      that did not go the same way again, and for a stored choice log
    * `:summary` - the sweep up to and including this run
    * `:location` - where the run was asked for: a map with `:file`, `:line`, `:module` and `:test`, or `nil`
    * `:nondeterminism` - a `Lockstep.NondeterminismError` when the run that was recorded differed, else `nil`
    * `:replay` - the line that replays the run
    * `:file` - where the failure is stored (`Lockstep.Failures`), or `nil`
    * `:replayed` - how a run that replayed a stored failure went, a `Lockstep.Runner.Replay`, else `nil`
    * `:format` - what the message is: `:text` or `:json`
  """

  @enforce_keys [:seed, :run, :strategy, :error, :result, :summary, :replay]
  defexception @enforce_keys ++ [:chosen, :location, :nondeterminism, :file, :replayed, :shrunk, format: :text]

  @type t :: %__MODULE__{
          seed: non_neg_integer(),
          run: pos_integer(),
          strategy: atom() | {:pct, pos_integer()} | {:replay, [non_neg_integer()]},
          chosen: atom() | {:pct, pos_integer()} | {:replay, [non_neg_integer()]},
          error: {:crash, :error | :exit | :throw, term(), Exception.stacktrace()} | Exception.t(),
          result: Lockstep.Simulation.Result.t(),
          shrunk: Lockstep.Shrink.t() | nil,
          summary: Lockstep.Summary.t(),
          location: map() | nil,
          nondeterminism: Lockstep.NondeterminismError.t() | nil,
          replay: String.t(),
          file: Path.t() | nil,
          replayed: Lockstep.Runner.Replay.t() | nil,
          format: :text | :json
        }

  @impl true
  def message(%__MODULE__{format: :json} = failure), do: Lockstep.Report.json(failure)
  def message(%__MODULE__{} = failure), do: Lockstep.Report.format(failure)
end
