defmodule Lockstep.Runtime.FilesTest do
  # Questions about files that a run answers without asking the outside world. All others are escapes.
  use ExUnit.Case, async: false
  use Lockstep

  alias Lockstep.{Cluster, Runner}

  defp run(fun), do: Runner.run(fun, seeds: 3, escapes: :raise)

  defp escape(fun) do
    {:failed, failure} = Runner.explore(fun, seeds: 1, escapes: :raise)
    %Lockstep.EscapeError{} = error = failure.error
    {error.module, error.function, error.arity}
  end

  test "a name that is absolute needs no working directory" do
    names = [~c"/", ~c"/a/../b//c/", "/ä/b", [~c"/a/", ~c"b"], :"/a"]
    absolute = Enum.map(names, &:filename.absname/1)
    run(fn -> assert Enum.map(names, &:filename.absname/1) == absolute end)
    assert escape(fn -> :filename.absname(~c"a") end) == {:file, :get_cwd, 0}
  end

  test "neither does a path that is" do
    paths = ["/", "/a/../b//c/", "/ä/./b", ~c"/a/", "/a/b/.."]
    absolute = Enum.map(paths, &{Path.expand(&1), Path.absname(&1)})
    run(fn -> assert Enum.map(paths, &{Path.expand(&1), Path.absname(&1)}) == absolute end)
    assert escape(fn -> Path.expand("a") end) == {File, :cwd!, 0}
    assert escape(fn -> Path.absname("a") end) == {File, :cwd!, 0}
  end

  test "a table on disk that no run can have opened is not open" do
    run(fn -> assert {:dets.info(:none), :dets.info(:none, :size)} == {:undefined, :undefined} end)
  end

  @tag :tmp_dir
  test "a table on disk that the run has opened is", %{tmp_dir: folder} do
    file = String.to_charlist(Path.join(folder, "table"))

    program = fn ->
      {:ok, _} = :dets.open_file(:one, file: file)
      assert :dets.info(:one, :size) == 0
      :ok = :dets.close(:one)
    end

    Runner.run(program, seeds: 1, escapes: :allow)
    assert escape(program) == {:dets, :open_file, 2}
  end

  describe "the disk that a node does not have" do
    test "is what mnesia is told of" do
      run(fn ->
        Cluster.start_nodes([:a])
        Cluster.start_nodes([:b], env: [mnesia: [dir: ~c"/mine", other: 1]])
        settings = fn -> {Application.get_env(:mnesia, :schema_location), Application.get_env(:mnesia, :dir)} end

        for ready <- [fn -> :ok end, fn -> Application.load(:mnesia) end] do
          assert Cluster.run(:a, fn -> ready.() && settings.() end) == {:ram, ~c"/nodisk/Mnesia.a"}
          assert Cluster.run(:b, fn -> ready.() && settings.() end) == {:ram, ~c"/mine"}
          assert (ready.() && settings.()) == {:ram, ~c"/nodisk/Mnesia.nonode@nohost"}
          assert Cluster.run(:b, fn -> Application.get_env(:mnesia, :other) end) == 1
          assert Cluster.run(:a, fn -> Application.get_env(:mnesia, :other, 2) end) == 2
        end
      end)
    end

    test "is there if the VM's settings say so" do
      Application.put_env(:mnesia, :schema_location, :opt_disc)
      on_exit(fn -> Application.delete_env(:mnesia, :schema_location) end)

      run(fn ->
        assert Application.get_env(:mnesia, :schema_location) == :opt_disc
        Application.load(:mnesia)
        assert Application.get_env(:mnesia, :schema_location) == :opt_disc
        assert Application.get_env(:mnesia, :dir) == ~c"/nodisk/Mnesia.nonode@nohost"
      end)
    end

    test "has no files and takes none" do
      run(fn ->
        file = ~c"/nodisk/Mnesia.a/t.DCD"
        refute :filelib.is_regular(file)
        nothing = {:error, :enoent}

        for look <- [:delete, :list_dir, :read_file, :read_file_info],
            do: assert(apply(:file, look, [file]) == nothing)

        assert {:file.open(file, [:write]), :file.write_file(file, "x"), :file.make_dir(file)} ==
                 {nothing, nothing, nothing}
      end)
    end

    test "is no other" do
      assert escape(fn -> :file.read_file(~c"/nodiskette/t") end) == {:file, :read_file, 1}
      assert escape(fn -> :filelib.is_regular(~c"/nodisk") end) == {:filelib, :is_regular, 1}
    end
  end
end
