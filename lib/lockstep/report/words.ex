defmodule Lockstep.Report.Words do
  @moduledoc false
  # Events as a reader wants them: processes by their names, OTP's envelopes opened, and what only keeps books left out.
  # The trace file has them all, as they are.

  alias Lockstep.Report.Names

  # Pids and references of a run; `Lockstep.Runtime.Identity` makes them.
  @pid ~r/#PID<0\.(\d+)\.(\d+)>/
  @reference ~r/#Reference<[\d.]+>/
  @function ~r/#Function<[^>]*>/
  @first_serial 7168
  @nodes 64
  @per_serial 32_000

  @bookkeeping [
    :start,
    :access,
    :monitor,
    :demonitor,
    :alias,
    :unalias,
    :read_timer,
    :yield,
    :down,
    :exit_signal,
    :look
  ]
  @cluster [:partition, :heal, :tick, :start_node, :stop_node, :set_tick_time]

  # What stands between the end of an envelope and the end of what the text says.
  @rest "( to |, |$)"
  @envelopes [
    {~r/\{:"\$gen_call", \{([^{}]*), \[:alias \| #ref\]\}, (.*?)\}#{@rest}/s, "call \\2 from \\1\\3"},
    {~r/\{:"\$gen_call", \{([^{}]*), #ref\}, (.*?)\}#{@rest}/s, "call \\2 from \\1\\3"},
    {~r/\{:"\$gen_cast", (.*?)\}#{@rest}/s, "cast \\1\\2"},
    {~r/\{\[:alias \| #ref\], (.*?)\}#{@rest}/s, "reply \\1\\2"},
    {~r/ to #ref$/, ""},
    {~r/^send (call|cast|reply) /, "\\1 "},
    {~r/^call (.*) from [^ ]* to /s, "call \\1 to "},
    {~r/^deliver: send /, "deliver "}
  ]

  @doc "The events worth a row, in words."
  @spec of([map()], Names.names()) :: [map()]
  def of(events, names) do
    for event <- events, worth_a_row?(event), do: %{event | text: text(event.text, names)}
  end

  # An access that says what it touches is worth it.
  defp worth_a_row?(%{kind: :access, text: text}), do: text not in ["access", "read the clock"]
  defp worth_a_row?(%{kind: kind}), do: kind not in @bookkeeping

  @doc "Whether the event concerns the cluster as a whole."
  @spec cluster?(map()) :: boolean()
  def cluster?(event), do: event.process == nil or event.kind in @cluster

  @doc "One text, with names for pids, short references and functions, and what OTP's messages mean."
  @spec text(String.t(), Names.names()) :: String.t()
  def text(text, names) do
    text = text |> with_names(names) |> String.replace(@reference, "#ref") |> String.replace(@function, "#fun")
    Enum.reduce(@envelopes, text, fn {pattern, words}, text -> Regex.replace(pattern, text, words) end)
  end

  @doc "One text, with names for pids."
  @spec with_names(String.t(), Names.names()) :: String.t()
  def with_names(text, names) do
    Regex.replace(@pid, text, fn pid, number, serial -> name(pid, number, serial, names) end)
  end

  defp name(pid, number, serial, names) do
    block = div(String.to_integer(serial) - @first_serial, @nodes)
    Map.get(names, String.to_integer(number) - 1 + @per_serial * block, pid)
  end
end
