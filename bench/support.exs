# What the scripts of this folder share: measuring, the bare hand-off that everything is compared with, and tables.
#
# BENCH_QUICK=1 runs everything once and small, to see that it runs. BENCH_OUTPUT names a file to which each figure is
# added as a line of fields separated by tabs: script, figure, unit, best, median, the ratio to the script's base, and the
# CPU time (or "-").
Lockstep.start()

defmodule Bench do
  @moduledoc false
  # All of a script's cases in turn, several times over: what else the machine does meets all of them alike, and the
  # fastest repetition is the one that it met least.

  @repetitions 15
  # A case that has been repeated so often and took so many nanoseconds is known well enough.
  @fewest 3
  @enough 2_000_000_000

  @typedoc "Its name, how many units one call does, and the call, which may have measured itself: `{:measured, ns}`."
  @type bench_case :: {String.t(), pos_integer(), (... -> term())}
  @type row :: %{name: String.t(), best: float(), median: float(), cpu: float() | nil}

  @doc "Whether the scripts are only tried."
  def quick?, do: System.get_env("BENCH_QUICK") not in [nil, "", "0"]

  @doc "What stands behind the script's name on the command line."
  def arguments, do: if(quick?(), do: [], else: System.argv())

  @doc "How many, or how many when the scripts are only tried."
  def size(full, quick), do: if(quick?(), do: quick, else: full)

  @doc """
  Measures the cases; best and median are nanoseconds a unit. What takes long is repeated less often.

  `:cpu` is the least time that all threads of this VM were at work, where the system tells (Linux). It says more than the
  clock on a machine that does other things as well, but counts threads that wait for work busily: see `bench/run`.
  """
  @spec measure([bench_case()], pos_integer()) :: [row()]
  def measure(cases, repetitions \\ @repetitions) do
    unless quick?(), do: for({_name, _count, fun} <- cases, do: fun.())
    measured = Enum.map(cases, &{&1, []})
    rounds = size(repetitions, 1)

    for {{name, count, _fun}, times} <-
          Enum.reduce(1..rounds, measured, fn _, measured -> Enum.map(measured, &again/1) end) do
      {clock, cpu} = Enum.unzip(times)
      %{name: name, best: Enum.min(clock) / count, median: median(clock) / count, cpu: least(cpu, count)}
    end
  end

  # An atom is more than any number.
  defp least(times, count), do: with(time when is_integer(time) <- Enum.min(times), do: time / count)

  defp again({bench_case, times} = measured) do
    if length(times) >= @fewest and times |> Enum.map(&elem(&1, 0)) |> Enum.sum() > @enough,
      do: measured,
      else: {bench_case, [once(bench_case) | times]}
  end

  defp once({_name, _count, fun}) do
    cpu = cpu_time()
    start = System.monotonic_time()
    result = fun.()
    elapsed = System.convert_time_unit(System.monotonic_time() - start, :native, :nanosecond)

    case result do
      {:measured, nanoseconds} -> {nanoseconds, nil}
      _other -> {elapsed, cpu && cpu_time() - cpu}
    end
  end

  @doc "How many nanoseconds the threads of this VM have been at work so far; `nil` where the system does not tell."
  def cpu_time do
    times = for thread <- Path.wildcard("/proc/self/task/*/schedstat"), {:ok, text} <- [File.read(thread)], do: text
    if times != [], do: times |> Enum.map(&(&1 |> String.split() |> hd() |> String.to_integer())) |> Enum.sum()
  end

  @doc "The one in the middle."
  def median(numbers), do: numbers |> Enum.sort() |> Enum.at(div(length(numbers), 2))

  @doc "Runs one at a time, unless something else is asked for: what a core does."
  def sweep(fun, options), do: Lockstep.Runner.run(fun, Keyword.put_new(options, :concurrency, 1))

  @doc """
  One run under the undisturbed schedule, of which only what `Lockstep.Bench.timed/1` is given counts.

  Two seeds: a single one would be recorded for its report.
  """
  def inside(fun, options \\ []) do
    defaults = [seeds: 2, strategy: :fifo, max_stall: 0, max_steps: 100_000_000, watchdog: 60_000, shrink: false]
    Lockstep.Bench.listen()
    sweep(fun, Keyword.merge(defaults, options))
    {:measured, Lockstep.Bench.fastest()}
  end
end

defmodule Lockstep.Bench do
  @moduledoc false
  # Code under test calls this, and it is not under control itself: it sees the real clock.

  @listener {__MODULE__, :listener}

  @doc "The caller is told of what is measured."
  def listen, do: :persistent_term.put(@listener, self())

  @doc "Measures a part of a run."
  def timed(fun) do
    start = System.monotonic_time()
    fun.()
    elapsed = System.convert_time_unit(System.monotonic_time() - start, :native, :nanosecond)
    send(:persistent_term.get(@listener), {:timed, elapsed})
    :ok
  end

  @doc "The shortest of those measured since."
  def fastest, do: Enum.min(all(:timed))

  @doc "Notes how much memory this VM takes now."
  def weigh do
    send(:persistent_term.get(@listener), {:weighed, resident()})
    :ok
  end

  @doc "What was noted since."
  def weighed, do: all(:weighed)

  @doc "How many bytes of memory this VM takes: what the system says (Linux), or else what the VM says."
  def resident do
    with {:ok, text} <- File.read("/proc/self/status"), [_, kilobytes] <- Regex.run(~r/^VmRSS:\s+(\d+) kB/m, text) do
      String.to_integer(kilobytes) * 1024
    else
      _ -> :erlang.memory(:total)
    end
  end

  defp all(kind) do
    receive do
      {^kind, number} -> [number | all(kind)]
    after
      0 -> []
    end
  end
end

defmodule Bench.Both do
  @moduledoc false
  # The same functions twice: in `Module.Inside` as code under control, in `Module.Plain` as the VM runs them. One copy
  # would not do, because what is instrumented in place is slower outside of runs, too.

  defmacro defboth(module, do: block) do
    quote do
      defmodule unquote(Module.concat(Macro.expand(module, __CALLER__), Inside)) do
        use Lockstep
        unquote(block)
      end

      defmodule unquote(Module.concat(Macro.expand(module, __CALLER__), Plain)) do
        unquote(block)
      end
    end
  end

  @doc "Two cases: a function of both, which takes a count and gives a function that measures so many units."
  def cases(module, name, function, count) do
    [inside, plain] = for copy <- [Inside, Plain], do: apply(Module.concat(module, copy), function, [count])

    [
      {"plain #{name}", count, fn -> Bench.Bare.alone(plain) end},
      {name <> " under control", count, fn -> Bench.inside(inside) end}
    ]
  end
end

defmodule Bench.Bare do
  @moduledoc false
  # The measure of all things: two plain processes on one scheduler that send each other a message in turn.

  @rounds 5_000

  @doc "A hand-off is a send, a switch and a receive; a round trip is two."
  def hand_off, do: {"bare hand-off", 2 * rounds(), fn -> alone(fn -> bounce_with(rounds()) end) end}

  @doc "Messages around a ring of so many plain processes."
  def ring(count, rounds), do: alone(fn -> go_round(count, rounds) end)

  @doc "Calls `fun` in a plain process that keeps to one scheduler, as the processes of a run do."
  def alone(fun) do
    Lockstep.Bench.listen()
    {pid, monitor} = :erlang.spawn_opt(fn -> fun.() end, [:monitor, {:scheduler, 1}])
    receive do: ({:DOWN, ^monitor, :process, ^pid, :normal} -> :ok)
    {:measured, Lockstep.Bench.fastest()}
  end

  @doc "Starts a plain process on the same scheduler."
  def start(fun), do: :erlang.spawn_opt(fun, [:link, {:scheduler, 1}])

  defp rounds, do: Bench.size(@rounds, 10)

  defp bounce_with(rounds) do
    other = start(&echo/0)
    Lockstep.Bench.timed(fn -> bounce(other, rounds) end)
    Process.unlink(other)
    Process.exit(other, :kill)
  end

  defp bounce(_other, 0), do: :ok

  defp bounce(other, rounds) do
    send(other, {self(), :ping})
    receive do: (:pong -> bounce(other, rounds - 1))
  end

  defp echo do
    receive do: ({from, :ping} -> send(from, :pong))
    echo()
  end

  defp go_round(count, rounds) do
    main = self()
    first = Enum.reduce(2..count//1, main, fn _, next -> start(fn -> pass_on(next) end) end)
    Lockstep.Bench.timed(fn -> pass_from(first, rounds) end)
  end

  defp pass_from(_first, 0), do: :ok

  defp pass_from(first, rounds) do
    send(first, :token)
    receive do: (:token -> pass_from(first, rounds - 1))
  end

  defp pass_on(next) do
    receive do: (:token -> send(next, :token))
    pass_on(next)
  end
end

defmodule Bench.Table do
  @moduledoc false
  # Figures as a table for people, and as lines for `bench/compare`.

  @name 46

  @doc "One row a figure, each against the first of them, or against `base`."
  def print(title, rows, base \\ nil) do
    base = base || hd(rows)

    plain([title, "best", "median", "times #{base.name}"], for(row <- rows, do: [row.name | values(row, base)]))
    write(rows, base)
    rows
  end

  defp values(row, base), do: [time(row.best), time(row.median), decimals(row.best / base.best, 2)]

  @doc "A table of other columns: a header and rows of texts, the first of which is the name."
  def plain([title | header], rows) do
    widths = for {name, n} <- Enum.with_index(header, 1), do: width(name, n, rows)
    IO.puts("\n" <> pad_name(title) <> columns(header, widths))
    for [name | values] <- rows, do: IO.puts(pad_name(name) <> columns(values, widths))
    :ok
  end

  @doc "Nanoseconds in a unit that fits."
  def time(ns) when ns < 10_000, do: "#{decimals(ns, if(ns < 100, do: 1, else: 0))} ns"
  def time(ns) when ns < 10_000_000, do: "#{decimals(ns / 1_000, 1)} us"
  def time(ns), do: "#{decimals(ns / 1_000_000, 1)} ms"

  @doc "How many a second, if one takes so many nanoseconds."
  def rate(nil), do: "-"
  def rate(ns), do: count(round(1.0e9 / ns))

  @doc "Bytes in a unit that fits."
  def memory(bytes) when abs(bytes) < 10_000, do: "#{round(bytes)} B"
  def memory(bytes) when abs(bytes) < 10_000_000, do: "#{decimals(bytes / 1024, 0)} KiB"
  def memory(bytes), do: "#{decimals(bytes / 1_048_576, 1)} MiB"

  @doc "A whole number with its digits in groups of three."
  def count(number) do
    number |> Integer.to_string() |> String.reverse() |> String.replace(~r/\d{3}(?=\d)/, "\\0,") |> String.reverse()
  end

  @doc "A number with so many digits after the point."
  def decimals(number, digits), do: :erlang.float_to_binary(number / 1, decimals: digits)

  @doc "Adds the figures to the file that `BENCH_OUTPUT` names."
  def write(rows, base) do
    if file = System.get_env("BENCH_OUTPUT") do
      lines = for row <- rows, row != base, do: [Enum.join(fields(row, base), "\t"), "\n"]
      File.write!(file, lines, [:append])
    end
  end

  defp fields(row, base) do
    cpu = if row[:cpu], do: decimals(row.cpu, 1), else: "-"
    [script(), row.name, "ns", decimals(row.best, 1), decimals(row.median, 1), decimals(row.best / base.best, 4), cpu]
  end

  # The name of the script that runs.
  defp script, do: :persistent_term.get({__MODULE__, :script}, "bench")

  @doc "Which script's figures these are."
  def script(file), do: :persistent_term.put({__MODULE__, :script}, Path.basename(file, ".exs"))

  defp width(name, n, rows), do: Enum.max([String.length(name) | Enum.map(rows, &String.length(Enum.at(&1, n)))]) + 3
  defp pad_name(name), do: String.pad_trailing(name, @name)
  defp columns(values, widths), do: Enum.map_join(Enum.zip(values, widths), fn {v, w} -> String.pad_leading(v, w) end)
end
