defmodule Lockstep.Instrument.Cache do
  @moduledoc false
  # Instrumented object code on disk, so that only the first run on a machine pays for making it.
  #
  # An entry is named after everything it depends on: the original object code, the instrumentation itself, and the
  # compiler. It holds a digest of its content, and one that does not fit is as good as none. Nothing here raises: a
  # cache that cannot be read or written costs time and nothing else.

  alias Lockstep.Instrument.{Calls, Loader, Source, Transform}

  @instrumentation [
    Calls,
    Source,
    Transform,
    Transform.Failures,
    Transform.Frames,
    Transform.Guards,
    Transform.Natives,
    Transform.Receives,
    Transform.Values,
    Lockstep.Instrument,
    Loader
  ]
  @digest_size 16

  # An entry that is used is marked as used once a day; one that nobody has used for so long is removed.
  @day 24 * 60 * 60
  @kept 60 * @day

  @doc "The name of the entry for the guest of a module with this object code."
  @spec key(binary()) :: String.t()
  def key(bytecode) do
    parts = {:erlang.md5(bytecode), Enum.map(@instrumentation, & &1.module_info(:md5)), versions()}
    parts |> :erlang.term_to_binary() |> :erlang.md5() |> Base.encode16(case: :lower)
  end

  defp versions, do: {System.otp_release(), Application.spec(:compiler, :vsn), System.version()}

  @doc "The entry, if there is an intact one."
  @spec read(String.t()) :: {:ok, binary()} | :error
  def read(key) do
    with {:ok, <<digest::binary-size(@digest_size), bytecode::binary>>} <- File.read(path(key)),
         ^digest <- :erlang.md5(bytecode) do
      mark(path(key))
      {:ok, bytecode}
    else
      _ -> :error
    end
  end

  @doc "Stores an entry; other VMs may be doing the same at the same time."
  @spec write(String.t(), binary()) :: :ok
  def write(key, bytecode) do
    path = path(key)
    temporary = "#{path}.#{System.pid()}"

    with :ok <- File.mkdir_p(directory()),
         :ok <- File.write(temporary, [:erlang.md5(bytecode), bytecode]) do
      File.rename(temporary, path)
    end

    :ok
  end

  defp mark(path) do
    if age(path) > @day, do: File.touch(path)
    :ok
  end

  defp age(path) do
    case File.stat(path, time: :posix) do
      {:ok, stat} -> System.os_time(:second) - stat.mtime
      {:error, _} -> 0
    end
  end

  @doc "Removes what has not been used for a long time, left behind by other versions of anything."
  @spec prune() :: :ok
  def prune do
    directory()
    |> Path.join("*.guest*")
    |> Path.wildcard()
    |> Enum.filter(&(age(&1) > @kept))
    |> Enum.each(&File.rm/1)
  end

  @doc "Where the entries are: the application's `:cache_dir`, by default a folder of the user's own cache."
  @spec directory() :: Path.t()
  def directory, do: Application.get_env(:lockstep, :cache_dir) || default_directory()

  defp default_directory do
    if System.get_env("HOME") || System.get_env("XDG_CACHE_HOME") || match?({:win32, _}, :os.type()) do
      :filename.basedir(:user_cache, "lockstep")
    else
      Path.join(System.tmp_dir() || ".", "lockstep")
    end
  end

  defp path(key), do: Path.join(directory(), key <> ".guest")
end
