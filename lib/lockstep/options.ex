defmodule Lockstep.Options do
  @moduledoc """
  The options of a run: names, types, defaults and documentation as one table, and their validation.

  `Lockstep.Runner.run/2`, `Lockstep.Runner.explore/2` and the `lockstep:` tag of a test take the same options.
  They are checked once, before any process starts; an unknown option is an error.
  """

  alias Lockstep.OptionError
  alias Lockstep.Options.{Shard, Type}
  alias Lockstep.Runner.Exhaustive

  @schema [
    seed: [
      type: :seed,
      default: nil,
      doc: "the one seed to run; short for `seeds: [seed]`"
    ],
    seeds: [
      type: :seeds,
      default: 100,
      doc: "the seeds to run: a count (`100` runs the seeds 1 to 100), a range that goes up, or a list"
    ],
    strategy: [
      type: :strategy,
      default: :portfolio,
      doc:
        "who makes the choices: `:portfolio`, one of the following for each seed; `:random`, any event is as likely; " <>
          "`:pos`, by random priorities, for independent races; `:pct` or `{:pct, depth}`, by priorities that change " <>
          "`depth - 1` times, for long delays (depth 3 unless given); `:surw`, the orders of contended events uniformly; " <>
          "`:fifo`, first come, first served; `:exhaustive`, every interleaving once, instead of seeds, without stalls and " <>
          "latencies, or `{:exhaustive, preemptions: 2}` (or `delays:`), all schedules that leave a process which could go " <>
          "on at most so often; `{:replay, choices}`, a stored choice log; a module of one's " <>
          "own or `{module, args}`, see `Lockstep.Strategy`"
    ],
    max_runs: [
      type: :pos_integer,
      default: 1_000_000,
      doc: "after how many runs `strategy: :exhaustive` gives up; its summary then says that it is not complete"
    ],
    max_steps: [
      type: :pos_integer,
      default: 100_000,
      doc: "a run with more steps than this fails with `Lockstep.StepLimitError`"
    ],
    max_virtual_time: [
      type: :pos_integer,
      default: 3_600_000,
      doc: "a run that gets beyond this virtual time, in ms, fails with `Lockstep.TimeLimitError`"
    ],
    max_stall: [
      type: :non_neg_integer,
      default: 100,
      doc: "the longest time, in virtual ms, that a process ready to run may be held back; `0` holds nobody back"
    ],
    watchdog: [
      type: :pos_integer,
      default: 1_500,
      doc:
        "the wall time, in ms, that a process may go without reaching a scheduling point before the run fails " <>
          "with `Lockstep.WatchdogError`"
    ],
    delivery: [
      type: {:one_of, [:instant, :async]},
      default: :instant,
      doc: "messages within a node arrive at once (`:instant`), or some time after the send (`:async`)"
    ],
    ordering: [
      type: {:one_of, [:process_pair, :node_pair]},
      default: :process_pair,
      doc:
        "what arrives in the order it was sent: signals from one process to another, which is what Erlang guarantees " <>
          "(`:process_pair`), or all from one node to another, as one TCP connection happens to do (`:node_pair`)"
    ],
    fail_on: [
      type: {:some_of, [:crash, :blocked]},
      default: [],
      doc:
        "what fails a run besides the function itself: `:crash`, any process that ends abnormally; " <>
          "`:blocked`, any process left waiting for ever"
    ],
    await: [
      type: {:one_of, [:main, :quiescence]},
      default: :main,
      doc: "when a run is over: the function has returned (`:main`), or nothing can run any more (`:quiescence`)"
    ],
    nodes: [
      type: :nodes,
      default: [],
      doc: "simulated nodes to start before the function"
    ],
    faults: [
      type: :faults,
      default: [],
      doc:
        "faults that each seed may draw, from the start of the first node to `Lockstep.Cluster.settle/1`: `partition:`, " <>
          "`crash:` (`[max: 1, restart: true]`), `pause:` (a node hangs), `disconnect:`, each `true` or with `max:`; " <>
          "`latency:` (a range of virtual ms), `clock_skew:` (the most, in virtual ms). Each seed has a part of them"
    ],
    escapes: [
      type: {:one_of, [:warn, :raise, :allow]},
      default: :warn,
      doc:
        "what becomes of calls that Lockstep does not control, such as those of files: they are made, and said once " <>
          "(`:warn`); they fail the run with `Lockstep.EscapeError` (`:raise`); they are made (`:allow`)"
    ],
    sometimes: [
      type: :names,
      default: [],
      doc:
        "names of `Lockstep.sometimes/2` that the sweep must come to and meet; without it, those that some run comes " <>
          "to have to be met"
    ],
    trace: [
      type: :path,
      default: nil,
      doc:
        "where to write the trace: a file for a single seed, a directory for several, " <>
          "which gets a file `seed-N.trace` for each run"
    ],
    replay: [
      type: :path,
      default: nil,
      doc:
        "the file of a stored failure (`Lockstep.Failures`) to run again, with its seed, choices and options, instead of " <>
          "a sweep; says where the run leaves the recorded path, if the code has changed"
    ],
    failures: [
      type: {:either, :path, false},
      default: nil,
      doc:
        "the directory in which failures are stored; `false` stores none. By default that of the Mix project's build, " <>
          "`_build/test/lockstep/failures`"
    ],
    shrink: [
      type: {:either, :pos_integer, false},
      default: 500,
      doc:
        "how many runs may be spent on making a run that fails smaller, for its report (`Lockstep.Shrink`); `false` " <>
          "leaves it as it is"
    ],
    format: [
      type: {:one_of, [:text, :json]},
      default: :text,
      doc: "how a failure is printed: for people (`:text`), or as one JSON object for tools (`:json`)"
    ],
    check_determinism: [
      type: :boolean,
      default: false,
      doc: "run every seed twice and fail with `Lockstep.NondeterminismError` if the two runs differ"
    ],
    hosts: [
      type: :hosts,
      default: [],
      doc:
        "real Erlang nodes that take part in the sweep, such as `Node.list()`, each with `concurrency:` runs at a time (its " <>
          "schedulers by default). They need the same code path; the code of tests is sent to them. If one is lost, others " <>
          "run its seeds"
    ],
    shard: [
      type: :shard,
      default: nil,
      doc:
        "the part of the seeds to run here, while other machines run the others: `{2, 4}`, the second of four, runs every " <>
          "fourth seed from the second on. `:partition` and `{:partition, 4}` take the number from `MIX_TEST_PARTITION`, " <>
          "and all seeds where that is not set; `:partition` takes the count from `LOCKSTEP_PARTITIONS`. Under " <>
          "`mix test --partitions`, which shares out the test files, they run all seeds of each"
    ],
    concurrency: [
      type: :concurrency,
      default: nil,
      doc:
        "how many runs are made at a time, each on one scheduler of the VM; as many as are online by default. What comes " <>
          "out is the same for any number. `1` for tests whose runs meet outside of control, in `Lockstep.host/1` or in " <>
          "files. With `trace:` or `strategy: :exhaustive` there is one at a time"
    ]
  ]

  @names Keyword.keys(@schema)
  # What a run depends on besides its seed and its choices.
  @of_run ~w(max_steps max_virtual_time max_stall watchdog delivery ordering fail_on await nodes faults escapes)a

  @typedoc "The validated options. `:seeds` are those to run; `:overridden` names what the environment has set; `:shrink_file` is a
  stored failure to make smaller, which only the environment can name."
  @type t :: %{required(atom()) => term()}

  @doc """
  The table of all options.

  ## Examples

      iex> Lockstep.Options.schema()[:max_steps][:default]
      100_000

  """
  @spec schema() :: keyword(keyword())
  def schema, do: @schema

  @doc "The names of the options that a run depends on, besides its seed and its choices."
  @spec of_run() :: [atom()]
  def of_run, do: @of_run

  @doc "The value that an option has unless it is given."
  @spec default(atom()) :: term()
  def default(name), do: @schema[name][:default]

  @doc "The options as a Markdown list, for documentation."
  @spec docs() :: String.t()
  def docs do
    Enum.map_join(@schema, "\n", fn {name, entry} ->
      "  * `#{inspect(name)}` - #{entry[:doc]}#{default_text(entry)}"
    end)
  end

  defp default_text(entry) do
    case entry[:default] do
      nil -> ""
      count when is_integer(count) -> " (default: `#{Type.digits(count)}`)"
      value -> " (default: `#{inspect(value)}`)"
    end
  end

  @doc """
  Checks `opts` and fills in the defaults.

  The variables `LOCKSTEP_SEED`, `LOCKSTEP_SEEDS`, `LOCKSTEP_STRATEGY`, `LOCKSTEP_SHARD`, `LOCKSTEP_REPLAY`,
  `LOCKSTEP_SHRINK` and `LOCKSTEP_FAILURES` in `env` win over `opts`, so that one line in a shell replays a test whatever its tag says.

  `source` says where `opts` were written, for the error.

  ## Examples

      iex> {:ok, options} = Lockstep.Options.validate([seeds: 5], %{})
      iex> options.seeds
      1..5

      iex> {:error, error} = Lockstep.Options.validate([sed: 5], %{})
      iex> Exception.message(error)
      "unknown option :sed: did you mean :seed?"

  """
  @spec validate(term(), %{optional(String.t()) => String.t()}, String.t() | nil) ::
          {:ok, t()} | {:error, OptionError.t()}
  def validate(opts, env \\ System.get_env(), source \\ nil) do
    with :ok <- check_keyword(opts, source),
         :ok <- check_names(opts, source),
         {:ok, given} <- cast_all(opts, source),
         :ok <- check_one_source_of_seeds(opts, source),
         {:ok, overrides} <- from_environment(env) do
      defaults()
      |> Map.merge(given)
      |> settle_seeds()
      |> Map.put(:shrink_file, nil)
      |> Map.merge(overrides)
      |> Map.put(:overridden, Map.keys(overrides))
      |> Exhaustive.check(source)
      |> take_shard(env, source)
      |> check_trace(source)
    end
  end

  @doc "As `validate/3`, but raises the `Lockstep.OptionError`."
  @spec validate!(term(), %{optional(String.t()) => String.t()}, String.t() | nil) :: t()
  def validate!(opts, env \\ System.get_env(), source \\ nil) do
    case validate(opts, env, source) do
      {:ok, options} -> options
      {:error, error} -> raise error
    end
  end

  defp check_keyword(opts, source) do
    if Keyword.keyword?(opts) do
      :ok
    else
      {:error,
       %OptionError{value: opts, expected: "expected a keyword list, such as [seeds: 1..500]", source: source}}
    end
  end

  defp check_names(opts, source) do
    case Enum.find(Keyword.keys(opts), &(&1 not in @names)) do
      nil -> :ok
      name -> {:error, %OptionError{option: :unknown, value: name, expected: suggestion(name), source: source}}
    end
  end

  defp suggestion(name) do
    text = Atom.to_string(name)
    nearest = Enum.max_by(@names, &String.jaro_distance(text, Atom.to_string(&1)))

    if String.jaro_distance(text, Atom.to_string(nearest)) > 0.75 do
      "did you mean #{inspect(nearest)}?"
    else
      "the options are #{Enum.map_join(@names, ", ", &inspect/1)}"
    end
  end

  defp cast_all(opts, source) do
    Enum.reduce_while(opts, {:ok, %{}}, fn {name, value}, {:ok, cast} ->
      case Type.cast(@schema[name][:type], value) do
        {:ok, value} -> {:cont, {:ok, Map.put(cast, name, value)}}
        {:error, expected} -> {:halt, error(name, value, expected, source)}
      end
    end)
  end

  defp check_one_source_of_seeds(opts, source) do
    if opts[:seed] && Keyword.has_key?(opts, :seeds) do
      error(:seed, opts[:seed], "give either seed: or seeds:, not both", source)
    else
      :ok
    end
  end

  defp defaults do
    Map.new(@schema, fn {name, entry} ->
      {:ok, value} = Type.cast(entry[:type], entry[:default])
      {name, value}
    end)
  end

  defp settle_seeds(%{seed: nil} = options), do: options
  defp settle_seeds(%{seed: seed} = options), do: %{options | seeds: [seed]}

  # LOCKSTEP_SEED is what a failure prints to be pasted, so it wins over LOCKSTEP_SEEDS, which may be set for good.
  defp from_environment(env) do
    with {:ok, seeds} <- from_variable(env, "LOCKSTEP_SEEDS", :seeds, &Type.parse_seeds/1),
         {:ok, seed} <- from_variable(env, "LOCKSTEP_SEED", :seed, &Type.parse_seed/1),
         {:ok, strategy} <- from_variable(env, "LOCKSTEP_STRATEGY", :strategy, &Type.parse_strategy/1),
         {:ok, shard} <- from_variable(env, "LOCKSTEP_SHARD", :shard, &Shard.parse/1),
         {:ok, replay} <- from_variable(env, "LOCKSTEP_REPLAY", :replay, &Type.cast(:path, &1)),
         {:ok, shrink} <- from_variable(env, "LOCKSTEP_SHRINK", :shrink_file, &Type.cast(:path, &1)),
         {:ok, failures} <- from_variable(env, "LOCKSTEP_FAILURES", :failures, &Type.parse_directory/1) do
      {:ok, Enum.reduce([as_seeds(seed), strategy, shard, replay, shrink, failures], seeds, &Map.merge(&2, &1))}
    end
  end

  defp as_seeds(%{seed: seed}), do: %{seed: seed, seeds: [seed]}
  defp as_seeds(none), do: none

  defp from_variable(env, variable, option, parse) do
    case Map.get(env, variable, "") do
      "" ->
        {:ok, %{}}

      text ->
        case parse.(text) do
          {:ok, value} -> {:ok, %{option => value}}
          {:error, expected} -> error(option, text, expected, variable)
        end
    end
  end

  defp take_shard({:error, error}, _env, _source), do: {:error, error}

  defp take_shard({:ok, options}, env, source) do
    case Shard.take(options, env, System.argv()) do
      {:ok, options} -> {:ok, options}
      {:error, option, value, expected} -> error(option, value, expected, source)
    end
  end

  defp check_trace({:error, error}, _source), do: {:error, error}

  defp check_trace({:ok, %{trace: path} = options}, source) when is_binary(path) do
    if Enum.count(options.seeds) > 1 and File.regular?(path) do
      expected = "that is a file, and #{Enum.count(options.seeds)} seeds need a directory; name one, or run one seed"
      error(:trace, path, expected, source)
    else
      {:ok, options}
    end
  end

  defp check_trace({:ok, options}, _source), do: {:ok, options}

  defp error(option, value, expected, source) do
    {:error, %OptionError{option: option, value: value, expected: expected, source: source}}
  end
end
