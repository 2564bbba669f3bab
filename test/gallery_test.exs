for file <- ~w(program library search table), do: Code.require_file("gallery/support/#{file}.exs", __DIR__)

defmodule GalleryTest do
  # Every known bug is found, and its corrected twin is clean. `mix lockstep.gallery` measures the same with more runs.
  use ExUnit.Case, async: true

  import ExUnit.CaptureIO

  alias Gallery.{Library, Search, Table}
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
    File.write!(file, ["before ", Regex.run(~r/<!-- the table.*-->/s, File.read!("docs/gallery.md")), " behind"])
    row = row("lost_update_ets", %{median: 3, worst: 7, missed: 0})

    for _twice <- 1..2, do: Table.write!([row], [:random, :fifo], "Head:", file)

    text = File.read!(file)
    assert text =~ ~r/^before <!-- the table.*-->\n\nHead:\n\n- random: of 1 bugs 1 found in every sweep/
    assert text =~ ~r/\n\| `lost_update_ets` \| .* \| 3 \/ 7 \| none \/ none \(2\) \| clean, 100 \|\n.*--> behind$/s
    assert length(String.split(text, "lost_update_ets")) == 2
  end

  describe "mix lockstep.gallery" do
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
            {~w(barrier --markdown), ~r/--markdown writes the whole table/}
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
end
