defmodule Mix.Tasks.Lockstep.Replay do
  @shortdoc "Runs a failure again"

  @moduledoc """
  Runs a failure that Lockstep has found once more.

      mix lockstep.replay FILE
      mix lockstep.replay --seed N TEST_FILE:LINE

  With a FILE that holds a stored failure (`mix lockstep.failures` lists them), its test is run with the same seed, the same
  choices and the same options, whatever the test says today. If the code has changed meanwhile, the report says at which
  step the run leaves the recorded path, what was expected there and what happened, each with file and line, and whether
  the failure still occurs. The test may have been renamed or moved: it is looked for by its name and by its place.

  With `--seed`, the test at TEST_FILE:LINE is run with that one seed.

  ## Options

    * `--seed N` - the seed to run
    * `--strategy NAME` - with `--seed`: the strategy, if it is not that of the test

  Both run `mix test` in the environment of the tests, and end with its exit status: 0 if the test passes.

  ## Examples

      mix lockstep.replay _build/test/lockstep/failures/test-the-last-seat-is-sold-once-5f0c61c2-seed-2.failure
      mix lockstep.replay --seed 2 test/seats_test.exs:5

  """

  use Mix.Task

  alias Lockstep.Options.Type
  alias Lockstep.Tasks

  @impl true
  def run(argv) do
    case Tasks.parse(__MODULE__, argv, seed: :string, strategy: :string) do
      :help ->
        :ok

      {:ok, [], [file]} ->
        Tasks.run_stored(file, "LOCKSTEP_REPLAY")

      {:ok, [_ | _] = options, [test]} ->
        run_seed(options, test)

      {:ok, _options, []} ->
        Tasks.wrong_use(__MODULE__, "there is nothing to replay: name the file of a stored failure")

      {:ok, _options, _arguments} ->
        Tasks.wrong_use(__MODULE__, "one file, or one test, at a time")
    end
  end

  defp run_seed(options, test) do
    with {:ok, seed} <- seed(options[:seed]), :ok <- test(test) do
      strategy = if options[:strategy], do: [{"LOCKSTEP_STRATEGY", options[:strategy]}], else: []
      Tasks.mix_test([{"LOCKSTEP_SEED", Integer.to_string(seed)} | strategy], [test])
    else
      {:error, text} -> Tasks.wrong_use(__MODULE__, text)
    end
  end

  defp seed(nil), do: {:error, "--strategy needs a --seed"}

  defp seed(text),
    do: with({:error, _} <- Type.parse_seed(text), do: {:error, "--seed takes a number from 0 to 2^64 - 1"})

  defp test(test) do
    file = String.replace(test, ~r/:\d+$/, "")
    if File.exists?(file), do: :ok, else: {:error, "#{Tasks.one_line(file)} does not exist"}
  end
end
