defmodule Lockstep.Options.Type do
  @moduledoc false
  # The types of the option table. `cast/2` takes Elixir values, `parse_*/1` the text of an environment variable;
  # both answer `{:ok, value}` or `{:error, text}`, where the text says what would have been right.

  alias Lockstep.Runner.{Exhaustive, Strategies}

  @strategies [:random, :fifo, :pos, :surw, :pct, :portfolio]
  @max_depth 1_000
  @max_concurrency 1024
  @max_seed 0xFFFF_FFFF_FFFF_FFFF

  @type result :: {:ok, term()} | {:error, String.t()}

  @doc "Checks `value` and brings it into the form that the runner uses."
  @spec cast(atom() | {atom(), [atom()]} | {:either, atom(), term()}, term()) :: result()
  def cast(:seed, nil), do: {:ok, nil}
  def cast(:seed, seed) when is_integer(seed) and seed in 0..@max_seed, do: {:ok, seed}
  def cast(:seed, _), do: {:error, "a seed is an integer from 0 to 2^64 - 1, such as seed: 4711"}

  def cast(:seeds, count) when is_integer(count) and count > 0, do: {:ok, 1..count}
  def cast(:seeds, %Range{} = range), do: cast_range(range)
  def cast(:seeds, []), do: {:error, "the list is empty; give at least one seed"}
  def cast(:seeds, seeds) when is_list(seeds), do: cast_seed_list(seeds)
  def cast(:seeds, _), do: {:error, "expected a positive count, a range or a list of seeds, such as seeds: 1..500"}

  def cast(:strategy, name) when name in @strategies, do: {:ok, name}
  def cast(:strategy, :exhaustive), do: {:ok, :exhaustive}
  def cast(:strategy, {:exhaustive, _bound} = bounded), do: Exhaustive.cast(bounded)
  def cast(:strategy, {:replay, choices} = replay) when is_list(choices), do: cast_replay(replay, choices)

  def cast(:strategy, {:pct, depth} = pct) when depth in 1..@max_depth, do: {:ok, pct}

  def cast(:strategy, {:pct, _}),
    do: {:error, "the depth is how many orders between events a bug takes, an integer from 1 on, such as {:pct, 3}"}

  def cast(:strategy, strategy) do
    if Strategies.custom(strategy), do: {:ok, strategy}, else: {:error, strategy_expected(strategy)}
  end

  def cast(:pos_integer, number) when is_integer(number) and number > 0, do: {:ok, number}
  def cast(:pos_integer, _), do: {:error, "expected a positive integer"}
  def cast(:non_neg_integer, number) when is_integer(number) and number >= 0, do: {:ok, number}
  def cast(:non_neg_integer, _), do: {:error, "expected an integer that is 0 or more"}
  def cast(:milliseconds, number) when is_integer(number) and number >= 0, do: {:ok, number}
  def cast(:milliseconds, _), do: {:error, "expected a number of milliseconds, an integer that is 0 or more"}
  def cast(:boolean, value) when is_boolean(value), do: {:ok, value}
  def cast(:boolean, _), do: {:error, "expected true or false"}
  def cast(:path, nil), do: {:ok, nil}
  def cast(:path, path) when is_binary(path) and path != "", do: {:ok, path}
  def cast(:path, _), do: {:error, "expected the path of a file or of a directory, as a string"}
  def cast(:nodes, nodes), do: cast_nodes(nodes)
  def cast(:faults, faults), do: Lockstep.Options.Faults.cast(faults)
  def cast(:names, names), do: cast_names(names)
  def cast(:hosts, hosts), do: cast_hosts(hosts)
  def cast(:shard, shard), do: Lockstep.Options.Shard.cast(shard)
  def cast(:concurrency, nil), do: {:ok, nil}
  def cast(:concurrency, number) when number in 1..@max_concurrency, do: {:ok, number}

  def cast(:concurrency, _),
    do: {:error, "expected how many runs to make at a time, an integer from 1 to #{@max_concurrency}"}

  def cast({:either, _type, other}, value) when value === other, do: {:ok, value}

  def cast({:either, type, other}, value) do
    with {:error, expected} <- cast(type, value), do: {:error, "#{expected}, or #{inspect(other)}"}
  end

  def cast({:one_of, allowed}, value) do
    if value in allowed, do: {:ok, value}, else: {:error, "expected one of #{list(allowed)}"}
  end

  def cast({:some_of, allowed}, value) do
    values = List.wrap(value)

    if is_list(value) or is_atom(value) do
      if Enum.all?(values, &(&1 in allowed)), do: {:ok, Enum.uniq(values)}, else: some_of_error(allowed)
    else
      some_of_error(allowed)
    end
  end

  defp strategy_expected({module, _args}) when is_atom(module), do: strategy_expected(module)

  defp strategy_expected(module) when is_atom(module) do
    case Atom.to_string(module) do
      "Elixir." <> name -> "#{name} is no module with init/3 and schedule/2, see Lockstep.Strategy"
      _ -> strategy_expected("")
    end
  end

  defp strategy_expected(_) do
    "expected #{list(@strategies)}, {:pct, depth}, :exhaustive or {:replay, choices}"
  end

  defp some_of_error(allowed), do: {:error, "expected a list of some of #{list(allowed)}"}

  # `1..0` counts downwards, and nobody who writes it as seeds means that.
  defp cast_range(%Range{step: step} = range) when step < 0 do
    {:error, "a range of seeds goes up; this one holds no seed going up, write #{range.last}..#{range.first}"}
  end

  defp cast_range(range) do
    cond do
      Enum.empty?(range) -> {:error, "the range is empty; give at least one seed, such as seeds: 1..500"}
      range.first < 0 or range.last > @max_seed -> cast(:seed, -1)
      true -> {:ok, range}
    end
  end

  defp cast_seed_list(seeds) do
    if Enum.all?(seeds, &(is_integer(&1) and &1 in 0..@max_seed)), do: {:ok, seeds}, else: cast(:seed, :bad)
  end

  defp cast_replay(replay, choices) do
    if Enum.all?(choices, &(is_integer(&1) and &1 >= 0)) do
      {:ok, replay}
    else
      {:error, "a choice log is a list of integers that are 0 or more, as in the choices of a result"}
    end
  end

  defp cast_nodes(nodes) when is_list(nodes) do
    cond do
      not Enum.all?(nodes, &(is_atom(&1) and &1 not in [nil, true, false])) -> nodes_error()
      :nonode@nohost in nodes -> {:error, "the control node :nonode@nohost is always there; leave it out"}
      Enum.uniq(nodes) != nodes -> {:error, "each node can be named only once"}
      true -> {:ok, nodes}
    end
  end

  defp cast_nodes(_nodes), do: nodes_error()

  defp nodes_error, do: {:error, "expected a list of node names, such as nodes: [:a, :b, :c]"}

  defp cast_hosts(hosts) do
    if is_list(hosts) and Enum.all?(hosts, &(is_atom(&1) and String.contains?(Atom.to_string(&1), "@"))),
      do: {:ok, Enum.uniq(hosts)},
      else: {:error, "expected a list of names of nodes, such as hosts: [:\"two@a.example\"] or hosts: Node.list()"}
  end

  defp cast_names(names) do
    if is_list(names) and Enum.all?(names, &name?/1) do
      {:ok, Enum.uniq(names)}
    else
      {:error, "expected a list of names, each a string or an atom, such as [\"a write is retried\"]"}
    end
  end

  @doc "Whether a term can name a property."
  @spec name?(term()) :: boolean()
  def name?(term), do: (is_binary(term) and String.valid?(term)) or (is_atom(term) and term not in [nil, true, false])

  @doc "Reads one seed."
  @spec parse_seed(String.t()) :: result()
  def parse_seed(text) do
    case Integer.parse(text) do
      {seed, ""} -> cast(:seed, seed)
      _ -> {:error, "a seed is an integer from 0 to 2^64 - 1, such as LOCKSTEP_SEED=4711"}
    end
  end

  @doc "Reads a count of seeds (`200`) or a range (`1..500`)."
  @spec parse_seeds(String.t()) :: result()
  def parse_seeds(text) do
    case text |> String.split("..") |> Enum.map(&Integer.parse/1) do
      [{count, ""}] -> cast(:seeds, count)
      [{first, ""}, {last, ""}] -> cast(:seeds, Range.new(first, last, if(first <= last, do: 1, else: -1)))
      _ -> {:error, "expected a count or a range, such as LOCKSTEP_SEEDS=200 or LOCKSTEP_SEEDS=1..500"}
    end
  end

  @doc "Reads the name of a strategy, or `pct:4`."
  @spec parse_strategy(String.t()) :: result()
  def parse_strategy("pct:" <> depth) do
    case Integer.parse(depth) do
      {depth, ""} -> cast(:strategy, {:pct, depth})
      _ -> cast(:strategy, {:pct, depth})
    end
  end

  def parse_strategy("replay:" <> choices) do
    numbers = choices |> String.split(",", trim: true) |> Enum.map(&Integer.parse/1)

    if Enum.all?(numbers, &match?({_number, ""}, &1)),
      do: cast(:strategy, {:replay, Enum.map(numbers, &elem(&1, 0))}),
      else: {:error, "a choice log is numbers with commas between, such as replay:0,2,1"}
  end

  def parse_strategy("exhaustive"), do: cast(:strategy, :exhaustive)

  def parse_strategy("exhaustive:" <> bound) do
    kinds = %{"preemptions" => :preemptions, "delays" => :delays}

    with [kind, most] <- String.split(bound, ":"), {most, ""} <- Integer.parse(most) do
      cast(:strategy, {:exhaustive, [{kinds[kind], most}]})
    else
      _ -> cast(:strategy, {:exhaustive, bound})
    end
  end

  def parse_strategy(text) do
    case Enum.find(@strategies, &(Atom.to_string(&1) == text)) do
      nil -> {:error, "expected one of #{Enum.map_join(@strategies, ", ", &Atom.to_string/1)}, exhaustive or pct:4"}
      strategy -> {:ok, strategy}
    end
  end

  @doc "Reads the name of a directory, or `false`."
  @spec parse_directory(String.t()) :: result()
  def parse_directory("false"), do: {:ok, false}
  def parse_directory(text), do: cast(:path, text)

  @doc "An integer as it is written in source code."
  @spec digits(non_neg_integer()) :: String.t()
  def digits(number) do
    number
    |> Integer.to_string()
    |> String.reverse()
    |> String.replace(~r/\d{3}(?=\d)/, "\\0_")
    |> String.reverse()
  end

  defp list(values), do: Enum.map_join(values, ", ", &inspect/1)
end
