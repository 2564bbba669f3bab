for file <- ~w(program library search), do: Code.require_file("gallery/support/#{file}.exs", __DIR__)

defmodule GalleryTest do
  # Every known bug is found, and its corrected twin is clean. `mix lockstep.gallery` measures the same with more runs.
  use ExUnit.Case, async: true

  alias Gallery.{Library, Search}

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

  defmodule Corrected do
    use Lockstep
    def buggy, do: Gallery.LostUpdateEts.fixed()
  end

  defmodule Swapped do
    use Lockstep
    def fixed, do: Gallery.LostUpdateEts.buggy()
  end
end
