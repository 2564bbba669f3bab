defmodule Lockstep.Runtime.Clock do
  @moduledoc false
  # Virtual time. The core counts microseconds from the start of the run; here they become what the VM would say.
  #
  # Every reading is a scheduling point: others may run, and time may pass, just before it.

  alias Lockstep.Native
  alias Lockstep.Runtime.{Context, Turn}

  require Turn

  # 2024-01-01T00:00:00Z
  @system_start 1_704_067_200_000_000
  # The VM's monotonic time is a large negative number too, and code that compares it with 0 is wrong there.
  @monotonic_start -576_460_752_000_000
  @offset @system_start - @monotonic_start

  # Above the numbers of table entries, which are hashes of 27 bits.
  @object 1_000_000_000

  @doc "`:erlang.monotonic_time/0`."
  @spec monotonic_time() :: integer()
  def monotonic_time, do: read(&convert(&1 + @monotonic_start, :native), fn -> :erlang.monotonic_time() end)

  @doc "`:erlang.monotonic_time/1`."
  @spec monotonic_time(:erlang.time_unit()) :: integer()
  def monotonic_time(unit), do: read(&convert(&1 + @monotonic_start, unit), fn -> :erlang.monotonic_time(unit) end)

  @doc "`:erlang.system_time/0` and `:os.system_time/0`."
  @spec system_time() :: integer()
  def system_time, do: read_system(&convert(&1, :native), fn -> :erlang.system_time() end)

  @doc "`:erlang.system_time/1` and `:os.system_time/1`."
  @spec system_time(:erlang.time_unit()) :: integer()
  def system_time(unit), do: read_system(&convert(&1, unit), fn -> :erlang.system_time(unit) end)

  @doc "`:erlang.time_offset/0`."
  @spec time_offset() :: integer()
  def time_offset, do: time_offset(:native)

  @doc "`:erlang.time_offset/1`. Where nobody has set the clock it is constant, and asking no scheduling point."
  @spec time_offset(:erlang.time_unit()) :: integer()
  def time_offset(unit) do
    case Context.get() do
      nil -> :erlang.time_offset(unit)
      ctx -> ctx |> offset(:ets.member(ctx.store, {:clock, ctx.node})) |> convert(unit)
    end
  end

  defp offset(_ctx, false), do: @offset
  defp offset(ctx, true), do: @offset + skew_at(ctx, ctx.node, micros(ctx))

  @doc "The time offset of a node, in native units, for its monitors."
  @spec time_offset_of(Context.t(), node()) :: integer()
  def time_offset_of(ctx, node), do: convert(@offset + skew_at(ctx, node, Native.now(ctx.session)), :native)

  @doc "How far the clock of a node is ahead at a moment, in microseconds (`Lockstep.Cluster.set_clock/2`)."
  @spec skew_at(Context.t(), node(), non_neg_integer()) :: integer()
  def skew_at(ctx, node, micros) do
    case :ets.lookup(ctx.store, {:clock, node}) do
      [{_, offset, drift, since}] -> offset + div((micros - since) * drift, 1_000_000)
      [] -> 0
    end
  end

  @doc "How much too fast the clock of a node is, in microseconds a second."
  @spec drift(Context.t(), node()) :: integer()
  def drift(ctx, node) do
    case :ets.lookup(ctx.store, {:clock, node}) do
      [{_, _offset, drift, _since}] -> drift
      [] -> 0
    end
  end

  @doc "What a reading of the clock touches."
  @spec object() :: pos_integer()
  def object, do: @object

  @doc "`:os.perf_counter/0`."
  @spec perf_counter() :: integer()
  def perf_counter, do: read(&convert(&1, :perf_counter), fn -> :os.perf_counter() end)

  @doc "`:os.perf_counter/1`."
  @spec perf_counter(:erlang.time_unit()) :: integer()
  def perf_counter(unit), do: read(&convert(&1, unit), fn -> :os.perf_counter(unit) end)

  @doc "`:erlang.timestamp/0` and `:os.timestamp/0`."
  @spec timestamp() :: :erlang.timestamp()
  def timestamp, do: read_system(&triple/1, fn -> :erlang.timestamp() end)

  @doc "`:erlang.now/0`: no two readings on a node are the same."
  @spec now() :: :erlang.timestamp()
  def now do
    case Context.get() do
      # Applied, because a plain call of it is a compiler warning.
      nil -> apply(:erlang, :now, [])
      ctx -> ctx |> strictly_increasing(ctx |> micros() |> system(ctx)) |> triple()
    end
  end

  defp strictly_increasing(ctx, micros) do
    key = {:last_now, ctx.node}
    last = :ets.lookup_element(ctx.store, key, 2)
    now = max(micros, last + 1)
    :ets.insert(ctx.store, {key, now})
    now
  rescue
    ArgumentError ->
      :ets.insert(ctx.store, {{:last_now, ctx.node}, micros})
      micros
  end

  @doc "`:erlang.universaltime/0` and `:calendar.universal_time/0`."
  @spec universaltime() :: :calendar.datetime()
  def universaltime, do: read_system(&datetime/1, fn -> :erlang.universaltime() end)

  @doc "`:erlang.localtime/0` and `:calendar.local_time/0`; the local time of a simulated cluster is UTC."
  @spec localtime() :: :calendar.datetime()
  def localtime, do: read_system(&datetime/1, fn -> :erlang.localtime() end)

  @doc "`:erlang.localtime_to_universaltime/1`."
  @spec localtime_to_universaltime(:calendar.datetime()) :: :calendar.datetime()
  def localtime_to_universaltime(time), do: localtime_to_universaltime(time, :undefined)

  @doc "`:erlang.localtime_to_universaltime/2`. UTC has no daylight saving time."
  @spec localtime_to_universaltime(:calendar.datetime(), boolean() | :undefined) :: :calendar.datetime()
  def localtime_to_universaltime(time, daylight_saving) do
    if Context.inside?(), do: time, else: :erlang.localtime_to_universaltime(time, daylight_saving)
  end

  @doc "`:erlang.universaltime_to_localtime/1`."
  @spec universaltime_to_localtime(:calendar.datetime()) :: :calendar.datetime()
  def universaltime_to_localtime(time) do
    if Context.inside?(), do: time, else: :erlang.universaltime_to_localtime(time)
  end

  @doc "`:erlang.date/0`."
  @spec date() :: :calendar.date()
  def date, do: read_system(&elem(datetime(&1), 0), fn -> :erlang.date() end)

  @doc "`:erlang.time/0`."
  @spec time() :: :calendar.time()
  def time, do: read_system(&elem(datetime(&1), 1), fn -> :erlang.time() end)

  @doc "System time at the start of a run, in microseconds."
  @spec system_start() :: integer()
  def system_start, do: @system_start

  @doc "System time in microseconds as a date and time in UTC."
  @spec datetime(integer()) :: :calendar.datetime()
  def datetime(micros), do: :calendar.system_time_to_universal_time(micros, :microsecond)

  @doc "Microseconds since the start of the run, a scheduling point."
  @spec micros(Context.t()) :: non_neg_integer()
  def micros(ctx) do
    Turn.take(Native.access(ctx.session, ctx.id, @object, false))
    micros = Native.now(ctx.session)
    Turn.note(ctx, fn -> {"read the clock", micros} end)
    micros
  end

  @doc "A moment, in microseconds since the start of the run, as `:erlang.timestamp/0` has it."
  @spec timestamp_at(non_neg_integer()) :: :erlang.timestamp()
  def timestamp_at(micros), do: triple(micros + @system_start)

  @doc "A moment, in microseconds since the start of the run, in native monotonic time."
  @spec monotonic_at(non_neg_integer()) :: integer()
  def monotonic_at(micros), do: convert(micros + @monotonic_start, :native)

  @doc "The moment, in microseconds since the start of the run, at which monotonic time reaches so many milliseconds."
  @spec at_monotonic_ms(integer()) :: integer()
  def at_monotonic_ms(milliseconds), do: milliseconds * 1000 - @monotonic_start

  defp read_system(inside, outside) do
    case Context.get() do
      nil -> outside.()
      ctx -> ctx |> micros() |> system(ctx) |> inside.()
    end
  end

  defp system(micros, ctx), do: micros + @system_start + skew_at(ctx, ctx.node, micros)

  defp read(inside, outside) do
    case Context.get() do
      nil -> outside.()
      ctx -> inside.(micros(ctx))
    end
  end

  defp convert(micros, unit), do: :erlang.convert_time_unit(micros, :microsecond, unit)

  defp triple(micros) do
    {div(micros, 1_000_000_000_000), rem(div(micros, 1_000_000), 1_000_000), rem(micros, 1_000_000)}
  end
end
