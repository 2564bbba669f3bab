defmodule Lockstep.Cluster.Durations do
  @moduledoc false
  # Lengths of time that are worth trying: those around the times that programs and connections wait for.

  import Lockstep.Cluster.Arguments

  alias Lockstep.Native
  alias Lockstep.Runtime.{Context, Turn}

  require Turn

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
    options = options!(options, [around: @default, up_to: @most], &fits?/1)
    %{options | around: List.wrap(options.around)}
  end

  defp fits?({:around, times}) when is_list(times),
    do: times != [] and proper_list?(times) and Enum.all?(times, &time?/1)

  defp fits?({_option, time}), do: time?(time)
end
