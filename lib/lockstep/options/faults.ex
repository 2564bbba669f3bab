defmodule Lockstep.Options.Faults do
  @moduledoc false
  # The option `faults:`: which faults the seeds may draw.

  @episodes [:partition, :crash, :pause, :disconnect]
  @kinds @episodes ++ [:latency, :clock_skew]
  # Virtual ms, as many as `Lockstep.Cluster` takes.
  @most_latency 4_294_967_295
  @most_skew 1_000_000_000

  @doc "Checks `faults` and brings them into the form that the run uses: `{kind, options}`, in a fixed order."
  @spec cast(term()) :: {:ok, keyword()} | {:error, String.t()}
  def cast(faults) do
    with true <- Keyword.keyword?(faults), {:ok, cast} <- cast_all(faults) do
      {:ok, for(kind <- @kinds, {:ok, options} <- [Keyword.fetch(cast, kind)], options != false, do: {kind, options})}
    else
      false -> {:error, "expected a keyword list, such as faults: [partition: true, crash: [max: 1], latency: 0..50]"}
      {:error, expected} -> {:error, expected}
    end
  end

  defp cast_all(faults) do
    Enum.reduce_while(faults, {:ok, []}, fn {kind, value}, {:ok, cast} ->
      case one(kind, value) do
        {:ok, options} -> {:cont, {:ok, Keyword.put(cast, kind, options)}}
        {:error, expected} -> {:halt, {:error, expected}}
      end
    end)
  end

  defp one(kind, true) when kind in @episodes, do: {:ok, []}
  defp one(kind, false) when kind in @kinds, do: {:ok, false}
  defp one(kind, options) when kind in @episodes and is_list(options), do: options(kind, options)

  defp one(:latency, %Range{first: first, last: last, step: 1} = range)
       when first >= 0 and last >= first and last <= @most_latency,
       do: {:ok, range}

  defp one(:latency, _),
    do: {:error, "latency: takes a range of virtual milliseconds up to 4_294_967_295, such as latency: 0..50"}

  defp one(:clock_skew, most) when most in 1..@most_skew, do: {:ok, most}

  defp one(:clock_skew, _),
    do:
      {:error, "clock_skew: takes a number of virtual milliseconds from 1 to 1_000_000_000, such as clock_skew: 500"}

  defp one(kind, _) when kind in @episodes, do: {:error, "#{kind}: takes true or options, such as #{kind}: [max: 1]"}
  defp one(kind, _), do: {:error, "no fault #{inspect(kind)}; there are #{Enum.map_join(@kinds, ", ", &inspect/1)}"}

  defp options(kind, options) do
    if Keyword.keyword?(options) and Enum.all?(options, &option?(kind, &1)),
      do: {:ok, options},
      else: {:error, "#{kind}: takes max: (a positive count)#{restart(kind)}"}
  end

  defp option?(_kind, {:max, max}), do: is_integer(max) and max > 0
  defp option?(:crash, {:restart, restart?}), do: is_boolean(restart?)
  defp option?(_kind, _option), do: false

  defp restart(:crash), do: " and restart: (true or false)"
  defp restart(_kind), do: ""
end
