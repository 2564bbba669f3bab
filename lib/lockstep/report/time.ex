defmodule Lockstep.Report.Time do
  @moduledoc false
  # Times and counts as a reader wants them.

  @doc """
  Virtual microseconds in ms, with no more digits than needed.

  ## Examples

      iex> Lockstep.Report.Time.ms(12_500)
      "12.5"

  """
  @spec ms(non_neg_integer()) :: String.t()
  def ms(micros) when rem(micros, 1000) == 0, do: Integer.to_string(div(micros, 1000))

  def ms(micros) do
    fraction = micros |> rem(1000) |> Integer.to_string() |> String.pad_leading(3, "0") |> String.trim_trailing("0")
    "#{div(micros, 1000)}.#{fraction}"
  end

  @doc """
  A duration in ms with the unit that suits it.

  ## Examples

      iex> Enum.map([7, 1_500, 90_000, 7_260_000], &Lockstep.Report.Time.duration/1)
      ["7 ms", "1.5 s", "1 min 30 s", "2 h 1 min"]

  """
  @spec duration(non_neg_integer()) :: String.t()
  def duration(ms) when ms < 1_000, do: "#{ms} ms"
  def duration(ms) when ms < 60_000, do: "#{Float.round(ms / 1_000, 1)} s"
  def duration(ms) when ms < 3_600_000, do: "#{div(ms, 60_000)} min #{div(rem(ms, 60_000), 1_000)} s"
  def duration(ms), do: "#{div(ms, 3_600_000)} h #{div(rem(ms, 3_600_000), 60_000)} min"

  @doc """
  A number with its digits in groups, and the noun that it counts.

  ## Examples

      iex> Lockstep.Report.Time.count(20_512, "step")
      "20,512 steps"

  """
  @spec count(non_neg_integer(), String.t()) :: String.t()
  def count(1, noun), do: "1 #{noun}"
  def count(number, noun), do: "#{digits(number)} #{plural(noun)}"

  defp plural("switch"), do: "switches"
  defp plural(noun), do: noun <> "s"

  @doc "A number with its digits in groups."
  @spec digits(non_neg_integer()) :: String.t()
  def digits(number), do: number |> Lockstep.Options.Type.digits() |> String.replace("_", ",")
end
