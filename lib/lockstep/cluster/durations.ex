defmodule Lockstep.Cluster.Durations do
  @moduledoc false
  # Lengths of time that are worth trying: those around the times that programs and connections wait for.

  import Lockstep.Cluster.Arguments

  alias Lockstep.Native
  alias Lockstep.Runtime.{Context, Turn}

  # The timeout of a call; a silent connection is given up after net_ticktime, give or take one tick of four.
  @default [5_000, 45_000, 60_000, 75_000]
  @most 4_294_967_295

  @doc "Draws a time up to `most` around one of `times`."
  @spec draw(Context.t(), keyword()) :: non_neg_integer()
  def draw(ctx, options) do
    %{around: times, up_to: most} = read(options)
    time = Enum.at(times, Native.draw(ctx.session, length(times)))
    length = time |> near(Native.draw(ctx.session, 6)) |> max(0) |> min(most)
    Turn.note(ctx, fn -> {"draw a time: #{length} ms", length} end)
    length
  end

  # Well below, just below, at, just above, well above; or any time up to it.
  defp near(time, 0), do: div(time, 2)
  defp near(time, 1), do: time - max(div(time, 100), 1)
  defp near(time, 2), do: time
  defp near(time, 3), do: time + max(div(time, 100), 1)
  defp near(time, 4), do: time + div(time, 3)
  defp near(time, 5), do: div(time, 10)

  defp read(options) do
    unless Keyword.keyword?(options), do: error({:not_options, options})
    Enum.each(options, &check/1)
    %{around: List.wrap(options[:around] || @default), up_to: options[:up_to] || @most}
  end

  defp check({:around, times} = pair) do
    times = List.wrap(times)
    unless times != [] and Enum.all?(times, &time?/1), do: error({:bad_option, pair})
  end

  defp check({:up_to, time} = pair), do: unless(time?(time), do: error({:bad_option, pair}))
  defp check({option, _}), do: error({:unknown_option, option, [:around, :up_to]})

  defp time?(time), do: is_integer(time) and time in 0..@most
end
