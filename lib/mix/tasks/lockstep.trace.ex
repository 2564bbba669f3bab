defmodule Mix.Tasks.Lockstep.Trace do
  @shortdoc "Shows what happened in a failed run"

  @moduledoc """
  Shows what happened in a run, without running anything.

      mix lockstep.trace FILE [--full | --json]

  FILE holds a stored failure (`mix lockstep.failures` lists them), or a trace that the `trace:` option has written.

  Without an option the report of the failure is shown, as it was when the run failed. A trace is shown in full.

  ## Options

    * `--full` - every event of the run, one a line: step, virtual time, process, what happened, file and line
    * `--json` - the same as data, for tools

  ## Examples

      mix lockstep.trace _build/test/lockstep/failures/test-the-last-seat-is-sold-once-5f0c61c2-seed-2.failure
      mix lockstep.trace traces/seed-7.trace --full

  """

  use Mix.Task

  alias Lockstep.{Failures, Report, Tasks}
  alias Lockstep.Failures.{Format, Shown}
  alias Lockstep.Runner.Terminal

  # Traces of long runs are large.
  @max_bytes 256 * 1024 * 1024

  @impl true
  def run(argv) do
    case Tasks.parse(__MODULE__, argv, full: :boolean, json: :boolean) do
      :help -> :ok
      {:ok, [full: true], [file]} -> file |> read!() |> full(file)
      {:ok, [json: true], [file]} -> file |> read!() |> json(file)
      {:ok, [], [file]} -> file |> read!() |> show(file)
      {:ok, [_, _ | _], [_file]} -> Tasks.wrong_use(__MODULE__, "--full and --json exclude each other")
      {:ok, _options, []} -> Tasks.wrong_use(__MODULE__, "there is nothing to show: name a file")
      {:ok, _options, _files} -> Tasks.wrong_use(__MODULE__, "one file at a time")
    end
  end

  # A file is one of a failure or one of a trace.
  defp read!(file) do
    with {:ok, bytes} <- Failures.bytes(file, @max_bytes), {:error, what} <- Format.open(bytes) do
      Mix.raise(Tasks.one_line("#{file} #{what}"))
    else
      {:error, text} -> Mix.raise(Tasks.one_line(text))
      read -> read
    end
  end

  defp show({:failure, stored, trace}, file) do
    stored |> Shown.failure(trace, file) |> Report.format(Terminal.width()) |> Mix.shell().info()
    if trace == nil, do: Mix.shell().info("\n(its events are not stored, or in another version of the format)")
  end

  defp show({:trace, trace}, file), do: full({:trace, trace}, file)

  defp full({:failure, _stored, nil}, file), do: Mix.raise("#{file} has no events that this Lockstep reads")
  defp full({:failure, _stored, trace}, file), do: full({:trace, trace}, file)
  defp full({:trace, trace}, _file), do: trace |> Shown.lines() |> Enum.each(&Mix.shell().info/1)

  # A trace has the fields that it has in its file.
  defp json({:failure, stored, trace}, file) do
    stored |> Shown.failure(trace, file) |> Report.json() |> Mix.shell().info()
  end

  defp json({:trace, trace}, _file), do: trace |> Report.Json.encode() |> Mix.shell().info()
end
