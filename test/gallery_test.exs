for file <- ~w(program library search table proofs), do: Code.require_file("gallery/support/#{file}.exs", __DIR__)

defmodule GalleryTest do
  # Every known bug is found, and its corrected twin is clean. `mix lockstep.gallery` measures the same with more runs.
  use ExUnit.Case, async: true

  import ExUnit.CaptureIO

  alias Gallery.{Library, Proofs, Search, Table}
  alias Mix.Tasks.Lockstep.Gallery, as: Command

  @moduletag timeout: 120_000

  @strategy Lockstep.Options.schema()[:strategy][:default]
  @sweeps 2
  @runs 1000
  @twins 200

  {:ok, programs} = Library.load()

  for program <- programs do
    @program program

    test "#{program.name}: #{program.bug}" do
      assert %{missed: 0} = @program |> Search.sweeps(@strategy, @sweeps, @runs) |> Search.summary()
      assert Search.twin(@program, @strategy, @twins) == :ok
    end
  end

  # Those that are small enough to have all interleavings of the corrected program run in a moment.
  @small ~w(audit_misses_money chain_read_from_middle check_then_act dead_peer_readded deleted_entry_returns
    double_checked_initialisation drain ets_iteration inconsistent_snapshot lease_by_wall_clock lost_update_messages
    lost_update_persistent_term lost_wake_up monitor_after_spawn mutual_calls news_overtakes_write read_write_lock
    reference_count registry_race restart_window stale_cache_fill stale_follower_read ttl_cache use_after_terminate)
  @interleavings 20_000

  describe "all interleavings" do
    for program <- programs, program.name in @small do
      @program program

      test "of #{program.name}: its bug is among them, and none of its twin fails" do
        assert {:proved, found, all} = Proofs.prove(@program, @interleavings)
        assert found >= 1 and all >= 1
      end
    end

    test "of a twin with a bug are not clean" do
      {:ok, [program]} = Library.load(["lost_update_messages"])
      twin = %{program | module: __MODULE__.SwappedMessages}

      assert {:failed, %Lockstep.Failure{error: {:crash, :error, %ExUnit.AssertionError{}, _}}} =
               Proofs.prove(twin, 1000)
    end

    # The twin's are clean, too, but so are those of the program with the bug: that proves nothing.
    test "of a bug of time do not show it" do
      {:ok, [program]} = Library.load(["id_reuse"])
      assert Proofs.prove(program, 1000) == :not_shown
      assert [{:all, all}, {:all, all}] = Search.interleavings(program, 1000)
    end

    test "are not searched for where faults are drawn" do
      {:ok, [program]} = Library.load(["subscription_not_renewed"])
      assert Search.interleavings(program, 1000) == [:refused, :refused]
      assert Proofs.prove(program, 1000) == :not_shown
    end

    test "that are too many are no proof" do
      {:ok, [program]} = Library.load(["check_then_act"])

      ExUnit.CaptureIO.capture_io(:stderr, fn ->
        assert {:open, _found} = Proofs.prove(program, 100)
        assert Proofs.prove(program, 10) == :not_found
      end)
    end
  end

  test "a sweep that finds nothing is worse than any other" do
    assert Search.summary([7, :none, 3]) == %{median: 7, worst: :none, missed: 1}
    assert Search.summary([7, 4, 3, 1]) == %{median: 3, worst: 7, missed: 0}
  end

  test "a corrected program has no bug to be found" do
    {:ok, [program]} = Library.load(["lost_update_ets"])
    corrected = %{program | module: __MODULE__.Corrected}
    assert Search.sweeps(corrected, @strategy, 2, 50) == [:none, :none]
  end

  test "a twin with a bug is not clean" do
    {:ok, [program]} = Library.load(["lost_update_ets"])
    assert {:failed, %Lockstep.Failure{}} = Search.twin(%{program | module: __MODULE__.Swapped}, @strategy, 200)
  end

  test "a run that fails otherwise is not the bug" do
    {:ok, [program]} = Library.load(["lost_update_ets"])
    message = ~r/lost_update_ets failed otherwise than by its bug/

    assert_raise RuntimeError, message, fn ->
      Search.sweeps(%{program | fails: [ArgumentError]}, @strategy, 1, 200)
    end
  end

  test "a name that is none" do
    assert Library.load(["lost_update_ets", "nobody"]) == {:error, "nobody"}
  end

  defp row(name, summary) do
    {:ok, [program]} = Library.load([name])
    %{program: program, found: [random: summary, fifo: %{median: :none, worst: :none, missed: 2}], twin: 100}
  end

  test "the table stands between its markers, and what is around them stays" do
    file = Path.join(System.tmp_dir!(), "lockstep_gallery_#{System.unique_integer([:positive])}.md")
    on_exit(fn -> File.rm(file) end)

    File.write!(file, [
      "before ",
      Regex.run(~r/<!-- the table.*end of the table -->/s, File.read!("docs/gallery.md")),
      " behind"
    ])

    row = row("lost_update_ets", %{median: 3, worst: 7, missed: 0})

    for _twice <- 1..2, do: Table.write!([row], [:random, :fifo], "Head:", file)

    text = File.read!(file)
    assert text =~ ~r/^before <!-- the table.*-->\n\nHead:\n\n- random: of 1 bugs 1 found in every sweep/
    assert text =~ ~r/\n\| `lost_update_ets` \| .* \| 3 \/ 7 \| none \/ none \(2\) \| clean, 100 \|\n.*--> behind$/s
    assert length(String.split(text, "lost_update_ets")) == 2
  end

  test "what was proved stands between its markers, and what is around them stays" do
    file = Path.join(System.tmp_dir!(), "lockstep_proofs_#{System.unique_integer([:positive])}.md")
    on_exit(fn -> File.rm(file) end)

    File.write!(file, [
      "before ",
      Regex.run(~r/<!-- the proofs.*end of the proofs -->/s, File.read!("docs/gallery.md")),
      " behind"
    ])

    {:ok, [proved, open, lost, time]} = Library.load(~w(check_then_act barrier bounded_buffer id_reuse))
    rows = [{proved, {:proved, 57, 1800}}, {open, {:open, 1}}, {lost, :not_found}, {time, :not_shown}]

    for _twice <- 1..2, do: Proofs.write!(rows, 5000, file)

    text = File.read!(file)
    assert text =~ ~r/^before <!-- the proofs.*-->\n\n\| program \|/
    assert text =~ "\n| `check_then_act` | 57 | 1,800 |\n"
    assert text =~ "more than 5,000 interleavings: `barrier`.\n"
    assert text =~ "among the first 5,000 interleavings: `bounded_buffer`.\n"
    assert text =~ ~r/other random numbers: `id_reuse`.\n\n<!-- end of the proofs --> behind$/
  end

  describe "mix lockstep.gallery" do
    test "says which twins are proved" do
      output = capture_io(fn -> Command.run(~w(check_then_act id_reuse --exhaustive 1000)) end)
      assert output =~ ~r/^check_then_act +\d+  all \d+ clean$/m
      assert output =~ ~r/^id_reuse +in none$/m
      assert output =~ "1 of 2 corrected programs are proved to be free of their bug"
    end

    test "prints a line a program" do
      arguments = ~w(lost_update_ets --sweeps 3 --runs 200 --strategy random,fifo --twins 50)
      output = capture_io(fn -> Command.run(arguments) end)
      assert output =~ ~r/^lost_update_ets +\d+ \/ \d+ +none \/ none \(3\)  clean, 50$/m
      assert output =~ "random: of 1 bugs 1 found in every sweep"
      assert output =~ "fifo: of 1 bugs 0 found in every sweep"
    end

    test "explains itself" do
      assert capture_io(fn -> Command.run(["--help"]) end) =~ "--sweeps N"
    end

    test "says what is wrong" do
      for {arguments, message} <- [
            {~w(--runs 0), ~r/--runs 0: expected a number that is 1 or more/},
            {~w(--sweeps many), ~r/wrong option --sweeps/},
            {~w(--fast), ~r/wrong option --fast/},
            {~w(nobody), ~r/no program nobody; there are aba_free_list, /},
            {~w(--strategy luck), ~r/--strategy luck: expected /},
            {~w(barrier --markdown), ~r/--markdown writes the whole table/},
            {~w(barrier --exhaustive 10 --markdown), ~r/--markdown writes the whole table/},
            {~w(barrier --exhaustive 0), ~r/--exhaustive 0: expected a number that is 1 or more/},
            {~w(barrier --exhaustive 10 --twins 5), ~r/--twins is about sweeps/}
          ] do
        assert_raise Mix.Error, message, fn -> Command.run(arguments) end
      end
    end
  end

  defmodule Corrected do
    use Lockstep
    def buggy, do: Gallery.LostUpdateEts.fixed()
  end

  defmodule Swapped do
    use Lockstep
    def fixed, do: Gallery.LostUpdateEts.buggy()
  end

  defmodule SwappedMessages do
    use Lockstep
    def buggy, do: Gallery.LostUpdateMessages.buggy()
    def fixed, do: Gallery.LostUpdateMessages.buggy()
  end
end
