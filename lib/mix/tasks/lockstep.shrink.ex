defmodule Mix.Tasks.Lockstep.Shrink do
  @shortdoc "Makes a stored failure smaller"

  @moduledoc """
  Runs a stored failure again and looks for a smaller run that fails in the same way: fewer faults, fewer stalls, fewer
  switches between processes, fewer steps.

      mix lockstep.shrink FILE

  A test that fails does that already, but gives up after some hundred runs (the option `shrink:`). This task takes up to
  10,000. The smaller run is stored in the place of the one in FILE; `mix lockstep.trace` shows it and
  `mix lockstep.replay` runs it.

  The test is run by `mix test`, in the environment of the tests. The exit status is 0 if the failure still occurs and the
  smallest run that was found is stored. If it does not occur any more, FILE is left as it is.

  ## Examples

      mix lockstep.shrink _build/test/lockstep/failures/test-the-last-seat-is-sold-once-5f0c61c2-seed-2.failure

  """

  use Mix.Task

  alias Lockstep.Tasks

  # In ms of wall time, which ExUnit counts: no limit that anybody waits for.
  @timeout 24 * 60 * 60 * 1000

  @impl true
  def run(argv) do
    case Tasks.parse(__MODULE__, argv, []) do
      :help -> :ok
      {:ok, [], [file]} -> Tasks.run_stored(file, "LOCKSTEP_SHRINK", ["--timeout", Integer.to_string(@timeout)])
      {:ok, [], []} -> Tasks.wrong_use(__MODULE__, "there is nothing to shrink: name the file of a stored failure")
      {:ok, [], _files} -> Tasks.wrong_use(__MODULE__, "one file at a time")
    end
  end
end
