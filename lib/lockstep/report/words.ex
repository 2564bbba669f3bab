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
    :linked,
    :watched,
    :unlinked,
    :led,
    :look,
    :join,
    :configure,
    :monitor_nodes
  ]
  @cluster ~w(partition cut heal release tick connected disconnected refused disconnect set_latency set_tick_time
              start_node stop_node crash_node pause_node pause)a

  # What is said to a service and by it, except for what is printed.
  @asides ~r/^(pause$|settle$|receive \{:(io_reply|"\$lockstep_service"), |whereis :(user|standard_error): )/

  # What stands between the end of an envelope and the end of what the text says.
  @rest "( to |, |$)"
  @envelopes [
    {~r/\{:"\$gen_call", \{([^{}]*), \[:alias \| #ref\]\}, (.*?)\}#{@rest}/s, "call \\2 from \\1\\3"},
    {~r/\{:"\$gen_call", \{([^{}]*), #ref\}, (.*?)\}#{@rest}/s, "call \\2 from \\1\\3"},
    {~r/\{:"\$gen_cast", (.*?)\}#{@rest}/s, "cast \\1\\2"},
    {~r/\{\[:alias \| #ref\], (.*?)\}#{@rest}/s, "reply \\1\\2"},
    {~r/ to #ref$/, ""},
    {~r/^send \{:io_request, [^,]*, #ref, \{:put_chars, :unicode, (.*)\}\} to \S+$/s, "print \\1"},
    {~r/^send (call|cast|reply) /, "\\1 "},
    {~r/^call (.*) from [^ ]* to /s, "call \\1 to "},
    {~r/^deliver: send /, "deliver "}
  ]

  @doc "The events worth a row, in words. `services` are the processes that a node has by itself."
  @spec of([map()], Names.names(), [non_neg_integer()]) :: [map()]
  def of(events, names, services \\ []) do
    for event <- events,
        event.process not in services or event.kind in @cluster,
        worth_a_row?(event),
        not to_start_service?(event, services) do
      %{event | text: text(event.text, names)}
    end
  end

  defp to_start_service?(%{kind: :spawn, text: text}, services) do
    case Regex.run(@pid, text) do
      [_, number, serial] -> id(number, serial) in services
      nil -> false
    end
  end

  defp to_start_service?(_event, _services), do: false

  # An access that says what it touches is worth it.
  defp worth_a_row?(%{kind: :access, text: text}), do: text not in ["access", "read the clock"]
  defp worth_a_row?(%{kind: kind, text: text}), do: kind not in @bookkeeping and not Regex.match?(@asides, text)

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
    Map.get(names, id(number, serial), pid)
  end

  defp id(number, serial) do
    block = div(String.to_integer(serial) - @first_serial, @nodes)
    String.to_integer(number) - 1 + @per_serial * block
  end
end
