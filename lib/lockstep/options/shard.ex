defmodule Lockstep.Options.Shard do
  @moduledoc false
  # The option `shard:`: the part of the seeds that is run here, while other machines run the others.
  #
  # `mix test --partitions` gives each partition some of the test files. Which partition it is stands in the environment,
  # how many there are nowhere but in Mix's own arguments. The tests of a file are then in one partition only, and all of
  # their seeds have to be run there. So the partitions share the seeds only where they do not share the files.

  alias Lockstep.Runner.Exhaustive

  @most 1_000_000

  @type t :: {number :: pos_integer(), count :: pos_integer()}
  @type given :: t() | :partition | {:partition, count :: pos_integer()} | nil

  defguardp is_shard(number, count) when count in 1..@most and is_integer(number) and number > 0 and number <= count

  @doc "Checks the value of the option."
  @spec cast(term()) :: {:ok, given()} | {:error, String.t()}
  def cast(nil), do: {:ok, nil}
  def cast(:partition), do: {:ok, :partition}
  def cast({:partition, count} = partition) when count in 1..@most, do: {:ok, partition}
  def cast({number, count} = shard) when is_shard(number, count), do: {:ok, shard}

  def cast(_),
    do: {:error, "expected {number, count}, such as shard: {2, 4} for the second of four, or :partition"}

  @doc "Reads `2/4`, or `partition`."
  @spec parse(String.t()) :: {:ok, given()} | {:error, String.t()}
  def parse("partition"), do: {:ok, :partition}

  def parse(text) do
    with [number, count] <- text |> String.split("/") |> Enum.map(&Integer.parse/1),
         {{number, ""}, {count, ""}} <- {number, count},
         {:ok, shard} <- cast({number, count}) do
      {:ok, shard}
    else
      _ -> {:error, "expected a number and a count, such as LOCKSTEP_SHARD=2/4 for the second of four"}
    end
  end

  @doc """
  Takes from the seeds of the options what belongs to the shard, every n-th.

  A seed that the environment names is run wherever that is, and a search of all interleavings has no seeds to share.
  """
  @spec take(map(), %{optional(String.t()) => String.t()}, [String.t()]) ::
          {:ok, map()} | {:error, option :: atom(), value :: term(), expected :: String.t()}
  def take(options, env, argv) do
    if :seed in options.overridden or Exhaustive.asked?(options.strategy) do
      {:ok, %{options | shard: nil}}
    else
      with {:ok, shard} <- meant(options.shard, env, argv),
           do: {:ok, %{options | shard: shard, seeds: seeds(options.seeds, shard)}}
    end
  end

  defp meant(:partition, env, argv), do: partition(env["LOCKSTEP_PARTITIONS"], env, argv)
  defp meant({:partition, count}, env, argv), do: partition(Integer.to_string(count), env, argv)
  defp meant(shard, _env, _argv), do: {:ok, shard}

  defp partition(count, env, argv) do
    number = env["MIX_TEST_PARTITION"]

    cond do
      number in [nil, ""] or files_shared?(argv) -> {:ok, nil}
      count in [nil, ""] -> {:error, :shard, :partition, no_count(number)}
      true -> numbers(Integer.parse(number), Integer.parse(count), {number, count})
    end
  end

  defp numbers({number, ""}, {count, ""}, _texts) when is_shard(number, count),
    do: {:ok, {number, count}}

  defp numbers(_number, _count, {number, count}) do
    {:error, :shard, :partition,
     "MIX_TEST_PARTITION is #{inspect(number)}, which is no number from 1 to the count of the partitions, " <>
       "#{inspect(count)}"}
  end

  defp no_count(number) do
    "MIX_TEST_PARTITION is #{inspect(number)}, and how many partitions there are is not known; " <>
      "set LOCKSTEP_PARTITIONS, or give shard: {:partition, 4}"
  end

  defp files_shared?(argv) do
    {found, _others, _invalid} = OptionParser.parse(argv, switches: [partitions: :integer])
    Keyword.get(found, :partitions, 1) > 1
  end

  defp seeds(seeds, nil), do: seeds

  defp seeds(%Range{first: first, last: last, step: step}, {number, count}) do
    Range.new(first + (number - 1) * step, last, count * step)
  end

  defp seeds(seeds, {number, count}), do: seeds |> Enum.drop(number - 1) |> Enum.take_every(count)
end
