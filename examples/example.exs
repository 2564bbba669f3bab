defmodule Example do
  @moduledoc false
  # What the tests of several examples have in common.

  import ExUnit.Assertions

  @seeds 5

  @doc "The error with which a scenario fails under one of many seeds."
  def find(scenario) do
    assert {:failed, %{error: {:crash, :error, error, _stack}}} = Lockstep.Runner.explore(scenario, seeds: 1..500)
    error
  end

  @doc "Traces of the same seeds are byte-identical in two processes of the operating system."
  def assert_same_traces(folder) do
    [one, other] =
      1..2 |> Enum.map(&Task.async(fn -> digests(Path.join(folder, "#{&1}")) end)) |> Task.await_many(:infinity)

    assert one == other
    # The comparison would notice: other seeds give other bytes.
    assert one |> Enum.uniq_by(&List.last(String.split(&1))) |> length() == length(one)
  end

  defp digests(file) do
    script = Path.expand("write_digests.exs", __DIR__)
    arguments = ["run", "--no-compile", "--no-start", script, file, to_string(@seeds)]
    {output, status} = System.cmd("mix", arguments, env: [{"MIX_ENV", "test"}], stderr_to_stdout: true)
    assert status == 0, output
    file |> File.read!() |> String.split("\n", trim: true)
  end
end
