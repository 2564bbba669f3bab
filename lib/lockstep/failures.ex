defmodule Lockstep.Failures do
  @moduledoc """
  Failures, stored in files.

  Every failure that a sweep finds is stored in `_build/test/lockstep/failures/` (of whatever environment the tests run
  in): one file for each test and seed, of which the newest 100 are kept. `mix lockstep.failures` lists them,
  `mix lockstep.replay` runs one again, and `mix lockstep.trace` shows what happened in it.

  The option `failures:` and the variable `LOCKSTEP_FAILURES` name another directory; `failures: false` and
  `LOCKSTEP_FAILURES=false` store nothing. Outside of a Mix project nothing is stored unless a directory is named.

  What a file holds is in `docs/trace-format.md`.
  """

  alias Lockstep.{Failure, Options}
  alias Lockstep.Failures.{Format, Origin, Stored}

  @kept 100
  @extension ".failure"
  # More than any file that is written.
  @max_bytes Lockstep.SafeTerm.max_bytes()

  @typedoc "A file with a stored failure: when it was written, in seconds since 1970, and what it holds."
  @type entry :: %{path: Path.t(), written: integer(), failure: {:ok, Stored.t()} | {:error, String.t()}}

  @doc """
  The directory in which failures are stored: that of the options, or else that of the Mix project; `nil` for none.

  ## Examples

      iex> Lockstep.Failures.directory("tmp/failures")
      "tmp/failures"

      iex> Lockstep.Failures.directory(false)
      nil

  """
  @spec directory(Path.t() | false | nil) :: Path.t() | nil
  def directory(false), do: nil
  def directory(nil), do: if(Origin.project?(), do: directory_in(Mix.Project.build_path()))
  def directory(path), do: path

  @doc "The directory in the build of a Mix project."
  @spec directory_in(Path.t()) :: Path.t()
  def directory_in(build), do: Path.join([build, "lockstep", "failures"])

  @doc """
  Stores a failure of a run with these options, and returns the name of the file; `nil` if it is not to be stored.

  That a file cannot be written is said, but is no error: the failure itself matters more.
  """
  @spec store(Failure.t(), Options.t()) :: Path.t() | nil
  def store(%Failure{} = failure, options) do
    with directory when directory != nil <- directory(options.failures) do
      path = Path.join(Path.relative_to_cwd(directory), file_name(failure))

      case write(path, failure |> Origin.stored(options) |> Format.encode()) do
        :ok ->
          prune(directory)
          path

        {:error, reason} ->
          IO.puts(:stderr, "lockstep: the failure could not be stored in #{path}: #{:file.format_error(reason)}")
          nil
      end
    end
  end

  @doc "Writes a stored failure to a file, in the place of what is there."
  @spec rewrite(Path.t(), Stored.t()) :: :ok | {:error, File.posix()}
  def rewrite(path, %Stored{} = stored), do: write(path, Format.encode(stored))

  # A reader never sees half a file.
  defp write(path, bytes) do
    part = "#{path}.#{System.pid()}-#{System.unique_integer([:positive])}"

    with :ok <- File.mkdir_p(Path.dirname(path)), :ok <- File.write(part, bytes) do
      File.rename(part, path)
    end
  end

  # The same failure gets the same name.
  defp file_name(failure) do
    location = failure.location || %{}
    who = {location[:file], location[:module], location[:test] || location[:line], location[:call] || 1}
    digest = :sha256 |> :crypto.hash(inspect(who)) |> Base.encode16(case: :lower) |> binary_part(0, 8)
    "#{slug(location)}-#{digest}-seed-#{failure.seed}#{@extension}"
  end

  defp slug(location) do
    name = location[:test] || Path.basename(location[:file] || "run")

    case name |> to_string() |> String.downcase() |> String.replace(~r/[^a-z0-9]+/, "-") |> String.slice(0, 60) do
      "" -> "run"
      slug -> String.trim(slug, "-")
    end
  end

  defp prune(directory) do
    directory |> files() |> Enum.drop(@kept) |> Enum.each(fn {path, _written} -> File.rm(path) end)
  end

  # The newest first.
  defp files(directory) do
    files =
      for path <- Path.wildcard(Path.join(escape(directory), "*" <> @extension)),
          {:ok, %{type: :regular, mtime: written}} <- [File.stat(path, time: :posix)],
          do: {path, written}

    Enum.sort_by(files, fn {path, written} -> {-written, path} end)
  end

  # In a pattern some characters mean something.
  defp escape(directory), do: String.replace(directory, ~r/[\\\[\]{}*?,]/, "\\\\\\0")

  @doc "All failures in a directory, the newest first."
  @spec list(Path.t()) :: [entry()]
  def list(directory) do
    for {path, written} <- files(directory), do: %{path: path, written: written, failure: read(path)}
  end

  @doc "Removes all failures in a directory; how many there were."
  @spec clear(Path.t()) :: non_neg_integer()
  def clear(directory), do: directory |> files() |> Enum.count(fn {path, _written} -> File.rm(path) == :ok end)

  @doc """
  Reads a stored failure. The error says in one line what is wrong with the file.

  ## Examples

      iex> Lockstep.Failures.read("no/such.failure")
      {:error, "no/such.failure: no such file or directory; `mix lockstep.failures` lists what is stored"}

  """
  @spec read(Path.t()) :: {:ok, Stored.t()} | {:error, String.t()}
  def read(path) do
    with {:ok, bytes} <- bytes(path), {:error, what} <- Format.decode(bytes), do: {:error, "#{path} #{what}"}
  end

  @doc "The bytes of a file that is to be read, if there are not too many of them."
  @spec bytes(Path.t(), pos_integer()) :: {:ok, binary()} | {:error, String.t()}
  def bytes(path, most \\ @max_bytes) do
    with {:ok, %{type: :regular, size: size}} <- File.stat(path),
         true <- size <= most || :too_large,
         {:ok, bytes} <- File.read(path) do
      {:ok, bytes}
    else
      {:ok, %{type: :directory}} ->
        {:error, "#{path} is a directory; name a file in it"}

      {:ok, _other} ->
        {:error, "#{path} is no ordinary file"}

      :too_large ->
        {:error, "#{path} is too large: it has more than #{div(most, 1024 * 1024)} MiB"}

      {:error, reason} ->
        {:error, "#{path}: #{:file.format_error(reason)}; `mix lockstep.failures` lists what is stored"}
    end
  end
end
