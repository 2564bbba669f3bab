defmodule Mix.Tasks.Lockstep.Failures do
  @shortdoc "Lists the failures that are stored"

  @moduledoc """
  Lists the failures that Lockstep has stored, the newest first.

      mix lockstep.failures [--clear]

  Each line has the file, its age, the seed, the test, and the first line of the error. The files are in
  `_build/test/lockstep/failures/`, or where the variable `LOCKSTEP_FAILURES` says.

  ## Options

    * `--clear` - remove them all

  ## Examples

      mix lockstep.failures
      mix lockstep.failures --clear

  """

  use Mix.Task

  alias Lockstep.{Failures, Tasks}
  alias Lockstep.Failures.Stored
  alias Lockstep.Report.Time

  @day 24 * 60 * 60

  @impl true
  def run(argv) do
    case Tasks.parse(__MODULE__, argv, clear: :boolean) do
      :help -> :ok
      {:ok, options, []} -> run_in(Tasks.directory(), options)
      {:ok, _options, _arguments} -> Tasks.wrong_use(__MODULE__, "it takes no arguments")
    end
  end

  defp run_in(nil, _options), do: Mix.shell().info("no failures are stored: LOCKSTEP_FAILURES is false")

  defp run_in(directory, clear: true) do
    Mix.shell().info("#{Time.count(Failures.clear(directory), "failure")} removed from #{directory}")
  end

  defp run_in(directory, _options) do
    case Failures.list(directory) do
      [] -> Mix.shell().info("no failures in #{directory}")
      entries -> Enum.each(entries, &Mix.shell().info(line(&1)))
    end
  end

  defp line(%{path: path, written: written, failure: {:ok, stored}}) do
    "#{path}  #{age(written)}  seed #{stored.seed}  #{Stored.title(stored.test)}: #{Stored.headline(stored.error)}"
    |> Tasks.one_line()
  end

  defp line(%{written: written, failure: {:error, text}}), do: Tasks.one_line("#{text}  #{age(written)}")

  defp age(written) do
    case max(System.os_time(:second) - written, 0) do
      seconds when seconds < @day -> Time.duration(seconds * 1000) <> " ago"
      seconds -> Time.count(div(seconds, @day), "day") <> " ago"
    end
  end
end
