defmodule Lockstep.FailuresTest do
  use Lockstep.Case, async: true

  alias Lockstep.{Failures, OptionError, Runner, Trace}
  alias Lockstep.Failures.{Format, Stored}

  doctest Lockstep.Failures
  doctest Lockstep.Failures.Shape
  doctest Lockstep.Failures.Stored
  doctest Lockstep.SafeTerm

  @moduletag :tmp_dir

  defp race(expected \\ 2) do
    {:ok, agent} = Agent.start_link(fn -> 0 end)

    tasks =
      for _ <- 1..2 do
        Task.async(fn ->
          count = Agent.get(agent, & &1)
          Agent.update(agent, fn _ -> count + 1 end)
        end)
      end

    Task.await_many(tasks)
    assert Agent.get(agent, & &1) == expected
    :ok
  end

  defp fail(dir, options \\ []) do
    {:failed, failure} = Runner.explore(fn -> race() end, [seeds: 200, failures: dir] ++ options)
    failure
  end

  # Each seed is to be one failure, not that of the run that comes before all seeds.
  defp plain, do: [shrink: false, strategy: :random]

  describe "store" do
    test "keeps what a replay and a report need", %{tmp_dir: dir, test: test} do
      failure = fail(dir, max_stall: 50, nodes: [:a, :b], faults: [pause: [max: 1], latency: 0..5], fail_on: [:crash])

      assert {:ok, %Stored{} = stored} = Failures.read(failure.file)
      assert Path.dirname(failure.file) == Path.relative_to_cwd(dir)
      assert stored.seed == failure.seed
      shrunk = failure.shrunk
      assert stored.choices == shrunk.choices
      assert stored.trace == shrunk.result.trace
      assert {stored.steps, stored.shrunk.before} == {shrunk.result.steps, shrunk.before}
      {earlier, later} = shrunk.pair
      assert stored.shrunk.pair == %{earlier: earlier.step, later: later.step}
      assert {:ok, %{seed: seed}} = Trace.decode(stored.trace)
      assert seed == failure.seed
      assert {stored.app, stored.lockstep} == {"lockstep", "0.1.0"}
      assert %{file: "test/lockstep/failures_test.exs", module: "Lockstep.FailuresTest", call: 1} = stored.test
      assert stored.test.name == to_string(test)
      assert %{kind: "error", name: "ExUnit.AssertionError", text: "Assertion with == failed\n" <> _} = stored.error
      assert stored.error.file == stored.test.file
      assert stored.replay == failure.replay
      assert stored.options[:max_stall] == 50
      assert stored.options[:nodes] == ["a", "b"]
      assert stored.options[:faults] == [pause: [max: 1], latency: 0..5]
      assert stored.options[:fail_on] == [:crash]
      assert Enum.sort(Keyword.keys(stored.options)) == Enum.sort(Lockstep.Options.of_run())
    end

    test "the same failure has the same file with the same bytes, another seed another one", %{tmp_dir: dir} do
      # Another call of the runner in this test is another test as far as files are concerned.
      [{one, bytes}, {one, bytes}, {other, _}] =
        for seed <- [1, 1, 2] do
          Process.delete({Runner, :calls})
          {:failed, failure} = Runner.explore(&__MODULE__.named/0, [seed: seed, failures: dir] ++ plain())
          {failure.file, File.read!(failure.file)}
        end

      assert other != one
      assert length(File.ls!(dir)) == 2
    end

    test "holds no wall time, no absolute path, and only texts that any VM reads", %{tmp_dir: dir} do
      bytes = File.read!(fail(dir).file)
      map = :erlang.binary_to_term(bytes, [:safe])
      assert Enum.all?(Map.keys(map), &is_binary/1)
      refute inspect(map, limit: :infinity, printable_limit: :infinity) =~ ~r/(^|\W)#{Regex.escape(File.cwd!())}/
      assert atoms(map) -- [true, false, nil] == []
    end

    test "keeps the newest 100", %{tmp_dir: dir} do
      for seed <- 1..102 do
        {:failed, failure} = Runner.explore(&__MODULE__.named/0, [seed: seed, failures: dir] ++ plain())
        Process.delete({Runner, :calls})
        File.touch!(failure.file, seed)
      end

      entries = Failures.list(dir)
      assert length(entries) == 100
      # What has just been written is the newest.
      assert Enum.map(entries, fn %{failure: {:ok, stored}} -> stored.seed end) == Enum.to_list(102..3//-1)
      assert Failures.clear(dir) == 100
      assert Failures.list(dir) == []
    end

    test "can be turned off, and a place that cannot be written is said", %{tmp_dir: dir} do
      assert {:failed, %{file: nil}} = Runner.explore(&__MODULE__.named/0, seed: 1, failures: false)
      file = Path.join(dir, "file")
      File.write!(file, "")

      said =
        ExUnit.CaptureIO.capture_io(:stderr, fn ->
          assert {:failed, %{file: nil}} =
                   Runner.explore(&__MODULE__.named/0, seed: 1, failures: Path.join(file, "x"))
        end)

      assert said =~ "could not be stored"
    end
  end

  def named, do: raise("always")

  defp atoms(atom) when is_atom(atom), do: [atom]
  defp atoms(list) when is_list(list), do: Enum.flat_map(list, &atoms/1) |> Enum.uniq()
  defp atoms(%{} = map), do: atoms(Map.to_list(map))
  defp atoms(tuple) when is_tuple(tuple), do: atoms(Tuple.to_list(tuple))
  defp atoms(_other), do: []

  describe "replay:" do
    test "runs the stored failure again, and says that it still occurs", %{tmp_dir: dir} do
      first = fail(dir)
      assert {:failed, failure} = Runner.explore(fn -> race() end, replay: first.file, seeds: 7)
      assert failure.result.hash == first.shrunk.result.hash
      assert failure.result.choices == first.shrunk.choices
      assert {failure.replayed.divergence, failure.replayed.ending} == {nil, :same}

      assert Exception.message(failure) =~
               "took the recorded path, #{first.shrunk.result.steps} steps, and the failure still occurs"

      assert failure.replay =~ "LOCKSTEP_REPLAY=#{first.file} mix test test/lockstep/failures_test.exs:"
    end

    test "the run that was found where none smaller is looked for", %{tmp_dir: dir} do
      first = fail(dir, shrink: false)
      assert {:ok, %Stored{shrunk: nil}} = Failures.read(first.file)
      assert {:failed, failure} = Runner.explore(fn -> race() end, replay: first.file)
      assert failure.result.hash == first.result.hash
    end

    test "with the options of the failure, whatever the call says", %{tmp_dir: dir} do
      first = fail(dir, nodes: [:a], max_stall: 3, delivery: :async)
      assert {:failed, failure} = Runner.explore(fn -> race() end, replay: first.file, max_stall: 80)
      assert failure.replayed.divergence == nil
    end

    test "says where the run leaves the recorded path, and whether it fails", %{tmp_dir: dir} do
      first = fail(dir)

      output =
        ExUnit.CaptureIO.capture_io(fn ->
          assert {:ok, _} = Runner.explore(&__MODULE__.fixed/0, replay: first.file)
        end)

      assert [_, step] = Regex.run(~r/left the recorded path at step (\d+):/, output)
      assert String.to_integer(step) in 2..first.result.steps
      assert output =~ ~r/recorded:  .*\(test\/lockstep\/failures_test.exs:\d+\)/
      assert output =~ ~r/this run:  .*send :something_else .*\(test\/lockstep\/failures_test.exs:\d+\)/

      assert output =~ "the failure (Assertion with == failed) does not\noccur any more" or
               output =~ ~r/does not\s+occur\s+any\s+more/

      assert {:failed, failure} = Runner.explore(fn -> named() end, replay: first.file)
      assert failure.replayed.ending == :other
      assert %{met: %{kind: :exit}} = failure.replayed.divergence
      assert Exception.message(failure) =~ ~r/the\s+run\s+fails,\s+but\s+not\s+as\s+it\s+did\s+then/
    end

    test "says so when the path is the same, and the failure gone", %{tmp_dir: dir} do
      first = fail(dir)

      output =
        ExUnit.CaptureIO.capture_io(fn -> assert {:ok, _} = Runner.explore(fn -> race(1) end, replay: first.file) end)

      assert output =~ "the replay took the recorded path, #{first.shrunk.result.steps} steps, and the failure"
      assert output =~ ~r/does not\s+occur\s+any\s+more/
    end

    test "of a file that is none is an error that names it", %{tmp_dir: dir} do
      assert {:failed, %OptionError{} = error} = Runner.explore(fn -> race() end, replay: "no/such")
      assert Exception.message(error) =~ "no/such: no such file or directory"
      file = Path.join(dir, "x.failure")
      File.write!(file, "hello")
      assert {:failed, %OptionError{} = error} = Runner.explore(fn -> race() end, replay: file)
      assert Exception.message(error) =~ "#{file} is not a failure stored by Lockstep"
    end
  end

  def fixed do
    send(self(), :something_else)
    race(if(:erlang.phash2(1) > 0, do: 2))
  rescue
    ExUnit.AssertionError -> :ok
  end

  test "the document has all fields, all options and all kinds of events, and the versions", %{tmp_dir: dir} do
    document = File.read!("docs/trace-format.md")
    map = :erlang.binary_to_term(File.read!(fail(dir).file))
    fields = Map.keys(map) ++ Enum.flat_map(~w(test options error shrunk), &Map.keys(map[&1]))
    for name <- fields ++ Trace.fields() ++ Trace.kinds(), do: assert(document =~ "`#{name}`", "#{name} is missing")
    assert document =~ "## Stored failures, version #{Format.version()}"
    assert document =~ "## Traces, version #{Trace.version()}"
  end

  describe "read/1" do
    test "says of each kind of bad file what is wrong with it", %{tmp_dir: dir} do
      file = fail(dir).file
      good = File.read!(file)
      {:ok, stored} = Failures.read(file)
      map = :erlang.binary_to_term(good)
      term = &:erlang.term_to_binary/1

      for {bytes, text} <- [
            {"", "is not a failure stored by Lockstep"},
            {"text", "is not a failure stored by Lockstep"},
            {binary_part(good, 0, div(byte_size(good), 2)), "is damaged or cut short"},
            {good <> "x", "is damaged or cut short"},
            {term.(%{}), "is not a failure stored by Lockstep"},
            {term.(%{map | "version" => 2, "lockstep" => "9.1.0"}),
             "was written by Lockstep 9.1.0 in version 2 of the format, and this Lockstep reads version 1: update it"},
            {term.(%{map | "version" => :new}), "is damaged: its version is none"},
            {term.(%{map | "choices" => [1 | 2]}), "is damaged: its field choices makes no sense"},
            {term.(%{map | "test" => %{}}), "is damaged: its field test makes no sense"},
            {term.(%{map | "options" => %{"delivery" => "later"}}), "is damaged: its option delivery makes no sense"},
            {stored.trace, "is a trace and no stored failure: `mix lockstep.trace` shows it"},
            {<<131, 80, 0xFFFF_FFFF::32, 1, 2, 3>>, "is larger than any failure that Lockstep stores"}
          ] do
        File.write!(file, bytes)
        assert {:error, error} = Failures.read(file)
        assert error == "#{file} #{text}"
        refute error =~ "\n"
      end

      assert {:error, error} = Failures.read(dir)
      assert error == "#{dir} is a directory; name a file in it"
    end

    test "a trace too large for a file is left out", %{tmp_dir: dir} do
      {:ok, stored} = Failures.read(fail(dir).file)
      large = :binary.copy(<<0>>, div(Lockstep.SafeTerm.max_bytes(), 2) + 1)
      assert {:ok, %Stored{trace: nil}} = Format.decode(Format.encode(%{stored | trace: large}))
      assert {:ok, ^stored} = Format.decode(Format.encode(stored))
    end
  end
end
