defmodule Lockstep.Runner.TraceFile do
  @moduledoc false
  # Where the trace of each run is written.

  @doc "Writes the trace of `seed` as the `trace:` option asks for; `nil` writes nothing."
  @spec write!(String.t() | nil, boolean(), non_neg_integer(), binary()) :: :ok
  def write!(nil, _several?, _seed, _trace), do: :ok

  def write!(path, several?, seed, trace) do
    file = if several? or File.dir?(path), do: Path.join(path, "seed-#{seed}.trace"), else: path
    File.mkdir_p!(Path.dirname(file))
    File.write!(file, trace)
  end
end
