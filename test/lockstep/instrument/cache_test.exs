defmodule Lockstep.Instrument.CacheTest do
  # The folder of the cache is one for the whole VM.
  use ExUnit.Case, async: false

  import Lockstep.InstrumentFixture

  alias Lockstep.Instrument
  alias Lockstep.Instrument.{Cache, Loader}

  @module :lk_cached

  defp entries(directory), do: Path.wildcard(Path.join(directory, "*"))

  defp define(value) do
    {@module, bytecode} = object_code!("-module(lk_cached). -export([f/0]). f() -> #{value}.")
    folder = Path.join(System.tmp_dir!(), "lk_cached_#{System.pid()}")
    File.mkdir_p!(folder)
    File.write!(Path.join(folder, "lk_cached.beam"), bytecode)
    :code.add_patha(to_charlist(folder))
    :code.purge(@module)
    {:module, @module} = :code.load_file(@module)

    on_exit(fn ->
      :code.del_path(to_charlist(folder))
      File.rm_rf!(folder)
    end)
  end

  defp load do
    Instrument.forget(@module)
    guest = Instrument.load_guest!(@module)
    guest.f()
  end

  test "a guest is made once for each version of its module" do
    with_cache(fn directory ->
      define(1)
      assert load() == 1
      assert [entry] = entries(directory)
      modified = File.stat!(entry).mtime
      assert load() == 1
      assert [^entry] = entries(directory)
      assert File.stat!(entry).mtime == modified

      define(2)
      assert load() == 2
      assert length(entries(directory)) == 2
    end)
  end

  test "an entry that is there is what gets loaded" do
    with_cache(fn _ ->
      define(3)
      {_, other} = load_source("-module(lk_cached). -export([f/0]). f() -> from_cache.")
      {:ok, object} = Lockstep.Instrument.Source.object_code(@module)
      Cache.write(Cache.key(object), other)
      assert load() == :from_cache
    end)
  end

  defp load_source(source) do
    {module, bytecode} = object_code!(source)
    core = Lockstep.Instrument.Source.core!(module, bytecode)
    {module, Loader.compile(Lockstep.Instrument.Transform.module(core, :guest))}
  end

  test "a damaged entry is made anew" do
    with_cache(fn directory ->
      define(4)
      assert load() == 4
      [entry] = entries(directory)

      for damaged <- ["", "short", File.read!(entry) |> binary_part(0, 100)] do
        File.write!(entry, damaged)
        assert load() == 4
      end

      assert {:ok, _} = Cache.read(Path.basename(entry, ".guest"))
    end)
  end

  test "what has not been used for long is removed, and what is used is kept" do
    with_cache(fn directory ->
      define(6)
      assert load() == 6
      [entry] = entries(directory)
      old = System.os_time(:second) - 90 * 24 * 60 * 60
      other = Path.join(directory, "other.guest")
      File.write!(other, "")
      for file <- [entry, other], do: File.touch!(file, old)
      # Reading it is using it.
      assert {:ok, _} = Cache.read(Path.basename(entry, ".guest"))
      Cache.prune()
      assert entries(directory) == [entry]
    end)
  end

  test "a folder that cannot be written costs nothing but time" do
    with_cache(fn directory ->
      File.write!(directory, "a file, not a folder")
      define(5)
      assert load() == 5
    end)
  end
end
