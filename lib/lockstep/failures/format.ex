defmodule Lockstep.Failures.Format do
  @moduledoc false
  # The bytes of a stored failure: one map in Erlang's External Term Format, compressed. Its keys are strings, so that any
  # VM reads it without making atoms, also one that does not know Lockstep. `docs/trace-format.md` has all its fields.

  alias Lockstep.Failures.{RunOptions, Shape, Stored}
  alias Lockstep.{SafeTerm, Trace}

  @name "lockstep failure"
  @version 1
  # There will not be more; a greater number is nonsense.
  @versions 1_000

  @doc "The version of the format."
  @spec version() :: pos_integer()
  def version, do: @version

  @doc "The bytes of a failure; a trace that is too large for a file is left out."
  @spec encode(Stored.t()) :: binary()
  def encode(%Stored{} = stored) do
    fields = stored |> Map.from_struct() |> Map.put(:options, RunOptions.dump(stored.options))
    fields = Map.put(fields, :trace, stored.trace && small_enough(stored.trace))
    map = Map.merge(%{"format" => @name, "version" => @version}, strings(fields))
    :erlang.term_to_binary(map, [:deterministic, compressed: 6])
  end

  # The rest of the file has to have room beside it.
  defp small_enough(trace), do: if(byte_size(trace) < div(SafeTerm.max_bytes(), 2), do: trace)

  defp strings(%{} = map), do: Map.new(map, fn {key, value} -> {to_string(key), strings(value)} end)
  defp strings(value), do: value

  @doc """
  Reads the bytes of a failure.

  The error says what is wrong with them, to be put behind the name of the file.
  """
  @spec decode(binary()) :: {:ok, Stored.t()} | {:error, String.t()}
  def decode(bytes) do
    case SafeTerm.decode(bytes) do
      {:ok, %{"format" => @name, "version" => @version} = map} -> from_map(map)
      {:ok, %{"format" => @name, "version" => version} = map} -> {:error, other_version(version, map)}
      {:ok, %{version: _, events: _}} -> {:error, "is a trace and no stored failure: `mix lockstep.trace` shows it"}
      {:ok, _other} -> {:error, foreign()}
      {:error, :foreign} -> {:error, foreign()}
      {:error, :too_large} -> {:error, "is larger than any failure that Lockstep stores"}
      {:error, :damaged} -> {:error, "is damaged or cut short"}
    end
  end

  @doc """
  Reads the bytes of a failure or of a trace; a failure's trace is read, too, if this version of Lockstep can.
  """
  @spec open(binary()) :: {:failure, Stored.t(), Trace.t() | nil} | {:trace, Trace.t()} | {:error, String.t()}
  def open(bytes) do
    case {Trace.version(bytes), Trace.decode(bytes)} do
      {nil, _} -> with {:ok, stored} <- decode(bytes), do: {:failure, stored, trace_of(stored)}
      {_version, {:ok, trace}} -> {:trace, trace}
      {version, :error} -> {:error, wrong_trace(version)}
    end
  end

  defp trace_of(%{trace: nil}), do: nil
  defp trace_of(%{trace: bytes}), do: with({:ok, trace} <- Trace.decode(bytes), do: trace, else: (:error -> nil))

  defp wrong_trace(version) do
    if version in 1..@versions and version != Trace.version(),
      do: "is a trace in version #{version} of the format, and this Lockstep reads version #{Trace.version()}",
      else: "is a damaged trace"
  end

  defp foreign, do: "is not a failure stored by Lockstep"

  defp other_version(version, map) when version > @version and version <= @versions do
    by =
      if is_binary(map["lockstep"]) and printable?(map["lockstep"]), do: " by Lockstep #{map["lockstep"]}", else: ""

    "was written#{by} in version #{version} of the format, and this Lockstep reads version " <>
      "#{@version}: update it"
  end

  defp other_version(_version, _map), do: "is damaged: its version is none"

  defp printable?(text), do: String.printable?(text) and String.length(text) <= 40

  defp from_map(map) do
    case Shape.check(map, shape()) do
      {:ok, fields} -> with_options(fields)
      {:error, field} -> {:error, "is damaged: its field #{field} makes no sense"}
    end
  end

  defp with_options(fields) do
    case RunOptions.load(fields.options) do
      {:ok, options} -> {:ok, struct!(Stored, %{fields | options: options})}
      {:error, option} -> {:error, "is damaged: its option #{option} makes no sense"}
    end
  end

  defp shape do
    counts = Map.new([:faults, :stalls, :switches, :steps], &{&1, :natural})

    %{
      lockstep: :text,
      app: {:maybe, :text},
      test:
        {:maybe,
         %{
           file: :text,
           line: :positive,
           module: {:maybe, :text},
           name: {:maybe, :text},
           call: {:maybe, :positive}
         }},
      seed: :natural,
      run: :positive,
      total: :positive,
      strategy: :text,
      options: :map,
      choices: {:list, :natural},
      error: %{kind: :text, name: {:maybe, :text}, file: {:maybe, :text}, line: {:maybe, :positive}, text: :text},
      steps: :natural,
      virtual_ms: :natural,
      trace: {:maybe, :bytes},
      shrunk:
        {:maybe,
         %{replays: :natural, before: counts, after: counts, pair: {:maybe, %{earlier: :positive, later: :positive}}}},
      replay: :text
    }
  end
end
