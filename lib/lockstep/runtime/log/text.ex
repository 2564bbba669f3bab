defmodule Lockstep.Runtime.Log.Text do
  @moduledoc false
  # A logged message in words, as Elixir's own handler prints it.

  # A program without logging may run without the application `:logger`.
  @compile {:no_warn_undefined, [Logger.Translator]}

  @doc "The text of a log event; reports of OTP are translated as `Logger` does it."
  @spec of(map()) :: String.t()
  def of(event) do
    case translated(event) do
      {:ok, chardata, _metadata} -> chardata
      {:ok, chardata} -> chardata
      _ -> :logger_formatter.format(event, %{template: [:msg]})
    end
    |> IO.chardata_to_string()
  rescue
    _ -> inspect(event.msg)
  end

  defp translated(%{level: level, msg: {:report, report}}) do
    if Code.ensure_loaded?(Logger.Translator), do: translate(level, report)
  end

  # What the VM itself says.
  defp translated(%{level: level, msg: {format, args}, meta: %{error_logger: %{emulator: true}}}) do
    if Code.ensure_loaded?(Logger.Translator), do: Logger.Translator.translate(:debug, level, :format, {format, args})
  end

  defp translated(_event), do: nil

  defp translate(level, %{label: label, report: report} = all) when map_size(all) == 2 do
    Logger.Translator.translate(:debug, level, :report, {label, report})
  end

  defp translate(level, %{label: {:error_logger, _}, format: format, args: args}) do
    Logger.Translator.translate(:debug, level, :format, {format, args})
  end

  defp translate(level, report), do: Logger.Translator.translate(:debug, level, :report, {:logger, report})
end
