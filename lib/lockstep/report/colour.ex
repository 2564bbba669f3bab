defmodule Lockstep.Report.Colour do
  @moduledoc false
  # Colour for the report, only where the reader's terminal shows it.

  @doc "Whether the report has colour: what ExUnit is configured with, or else what the terminal can do."
  @spec enabled?() :: boolean()
  def enabled? do
    case Application.get_env(:ex_unit, :colors, [])[:enabled] do
      nil -> IO.ANSI.enabled?()
      enabled -> enabled
    end
  end

  @doc "`text` in the given style."
  @spec paint(atom() | [atom()], String.t()) :: String.t()
  def paint(style, text) do
    if enabled?(), do: IO.iodata_to_binary(IO.ANSI.format([style, text], true)), else: text
  end

  @doc "Ends the colour that the surrounding text, such as ExUnit's red banner, has set."
  @spec reset() :: String.t()
  def reset, do: if(enabled?(), do: IO.ANSI.reset(), else: "")
end
