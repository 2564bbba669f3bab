defmodule Lockstep.Report.Words do
  @moduledoc false
  # Events as a reader wants them: processes by their names, OTP's envelopes opened, and what only keeps books left out.
  # The trace file has them all, as they are.

  alias Lockstep.Report.{Names, Terms}
  alias Lockstep.Report.Words.Message

  # Pids and references of a run; `Lockstep.Runtime.Identity` makes them.
  @pid ~r/#PID<0\.(\d+)\.(\d+)>/
  @reference ~r/#Reference<[\d.]+>/
  # With what a function was defined in; in a test that has no name worth repeating.
  @function_in_test ~r/#Function<[^>" ]* in [\w.:]+\.("test (?:[^"\\]|\\.)*"|__ex_unit\w*)\/\d+>/
  @function_in ~r/#Function<\d+\.\d+\/\d+ in ([\w.:!?-]+)\/\d+>/
  @function ~r/#Function<[^>]*>/
  # What a function of ours is called with.
  @function_of_ours ~r/#Function<\d+\.\d+\/\d+ in Lockstep\.(Cluster|Compat|Runtime)\.[^>]*>/
  @first_serial 7168
  @nodes 64
  @per_serial 32_000
  @outcome ~r/^(.*?)( \((?:lost|not connected)\))?$/s

  @bookkeeping ~w(start monitor demonitor alias unalias read_timer yield down exit_signal spawned linked watched unlink
                  unlinked lead led stall abandon trap_exit join configure monitor_node monitor_nodes set_tick_time)a
  @cluster ~w(partition cut heal release tick connected disconnected refused disconnect set_latency set_tick_time
              start_node stop_node crash_node pause_node pause)a
  @faults ~w(partition cut heal release tick disconnected disconnect start_node stop_node crash_node pause_node pause)a
  # What always answers so says nothing by it.
  @only_true ~r/(?<=^ets\.insert|^ets\.delete)(\(.*\)) = true$/s
  @asides ~r/^(pause$|settle$|whereis :(user|standard_error): )/

  @doc "Whether an event is worth a row, as far as it shows itself. `services` are processes that a node has by itself."
  @spec worth_a_row?(map(), Enumerable.t()) :: boolean()
  def worth_a_row?(event, services) do
    (event.process not in services or event.kind in @cluster) and worth?(event) and
      not to_start_service?(event, services)
  end

  defp to_start_service?(%{kind: :spawn, text: text}, services), do: Enum.any?(pids(text), &(&1 in services))
  defp to_start_service?(_event, _services), do: false

  # An access that says what it touches is worth it, and a look that says what it saw.
  defp worth?(%{kind: :access, text: "ets.new(" <> _ = text}), do: String.ends_with?(text, " raises")
  defp worth?(%{kind: :access, text: text}), do: text not in ["", "access", "read the clock"]
  defp worth?(%{kind: :look, text: text}), do: text not in ["", "look"]
  defp worth?(%{kind: :cancel_timer, text: text}), do: String.ends_with?(text, ": false")
  defp worth?(%{kind: kind}) when kind in @bookkeeping, do: false
  defp worth?(%{text: text}), do: not (text =~ @asides or aside?(text))

  # What processes tell each other before they begin, and what is said to services.
  defp aside?("send {" <> _ = text), do: maybe_aside?(text) and aside_message?(payload(text))

  defp aside?("receive " <> messages = text),
    do: maybe_aside?(text) and Enum.all?(Terms.split(messages), &aside_message?/1)

  defp aside?(_text), do: false

  # Runs can be long: a look at how it begins saves taking most of them apart.
  defp maybe_aside?(text), do: text =~ ~r/^\w+ \{(#PID<|:ack, |:io_reply, |:"\$lockstep)/

  defp aside_message?(message) do
    message = Message.read(message)
    message == :aside or match?({:task, _}, message)
  end

  @doc "Whether the event concerns the cluster as a whole."
  @spec cluster?(map()) :: boolean()
  def cluster?(event), do: event.process == nil or event.kind in @cluster

  @doc "Whether the event is something that goes wrong in the cluster, or is mended."
  @spec fault?(map()) :: boolean()
  def fault?(event), do: event.kind in @faults

  @doc "What a task is told to do, in words, if the event is its receiving that."
  @spec task(map()) :: String.t() | nil
  def task(%{kind: :receive, text: "receive {#PID<" <> _ = text}) do
    "receive " <> message = text

    case Message.read(message) do
      {:task, call} -> short(call, %{})
      _ -> nil
    end
  end

  def task(_event), do: nil

  @doc "The message that the text of a sending or of a started timer has; `nil` if there is none."
  @spec payload(String.t()) :: String.t() | nil
  def payload("send " <> sending), do: sending |> without_outcome() |> elem(0) |> Terms.sending() |> elem(0)

  def payload(text) do
    case Regex.run(~r/^\w+ \d+ ms: (.*)$/s, text) do
      [_, message] -> message
      nil -> nil
    end
  end

  defp without_outcome(sending) do
    [_, sending | outcome] = Regex.run(@outcome, sending)
    {sending, Enum.join(outcome)}
  end

  @doc "Of whose end a text tells: the processes in its DOWN and EXIT messages."
  @spec dead(String.t()) :: [non_neg_integer()]
  def dead("receive " <> messages) do
    if messages =~ ~r/\{:(DOWN|EXIT), /,
      do: for(message <- Terms.split(messages), id <- dead_in(Message.read(message)), do: id),
      else: []
  end

  def dead(_text), do: []

  defp dead_in({kind, who, _reason}) when kind in [:down, :exit], do: pids(who)
  defp dead_in(_message), do: []

  @doc "The processes whose pids are in a text."
  @spec pids(String.t()) :: [non_neg_integer()]
  def pids(text), do: for([_, number, serial] <- Regex.scan(@pid, text), do: id(number, serial))

  @doc "What happened, in words."
  @spec of(map(), Names.names()) :: String.t()
  def of(%{text: "send " <> sending} = event, names), do: sent(sending, names[Map.get(event, :detail)], names)
  def of(%{kind: :start}, _names), do: "begin"
  def of(event, names), do: text(event.text, names)

  @doc "The text of an event in words: with names for pids, and what OTP's messages mean."
  @spec text(String.t(), Names.names()) :: String.t()
  def text("send " <> sending, names), do: sent(sending, nil, names)

  def text("receive " <> messages, names) do
    "receive " <> (messages |> Terms.split() |> Enum.map_join(", ", &message(Message.read(&1), names)))
  end

  def text("deliver: send " <> sending, names), do: "deliver " <> under_way(sending, names)
  def text("lost: send " <> sending, names), do: "lost: " <> under_way(sending, names)
  # The whole of a log message is in the output of the run.
  def text("log " <> _ = text, names), do: text |> String.split("\n") |> hd() |> short(names)
  def text("ets." <> _ = text, names), do: text |> String.replace(@only_true, "\\1") |> short(names)
  def text(text, names), do: short(text, names)

  defp sent(sending, receiver, names) do
    {sending, outcome} = without_outcome(sending)
    {message, destination} = Terms.sending(sending)
    message |> Message.read() |> announce(names) |> Kernel.<>(to(destination, receiver, names) <> outcome)
  end

  # An alias has no name: it is that of a process.
  defp to("#Reference<" <> _, nil, _names), do: ""
  defp to("#Reference<" <> _, receiver, _names), do: " to " <> receiver
  defp to(nil, _receiver, _names), do: ""
  defp to(destination, _receiver, names), do: " to " <> address(Terms.elements(destination), destination, names)

  defp address([name, ":" <> node], destination, names) do
    Map.get(names, destination) || "#{node |> String.trim("\"") |> Names.short()}:#{name}"
  end

  defp address(_elements, destination, names), do: short(destination, names)

  defp announce({:call, _from, message}, names), do: "call " <> short(message, names)
  defp announce({:other, message}, names), do: "send " <> short(message, names)
  defp announce(message, names), do: message(message, names)

  defp under_way(sending, names) do
    {sending, _outcome} = without_outcome(sending)
    {message, _destination} = Terms.sending(sending)
    message |> Message.read() |> message(names)
  end

  @doc "A message in words."
  @spec message(Message.t(), Names.names()) :: String.t()
  def message({:call, from, message}, names), do: "call #{short(message, names)} from #{short(from, names)}"
  def message({:down, who, reason}, names), do: "DOWN of #{short(who, names)}: #{short(reason, names)}"
  def message({:exit, who, reason}, names), do: "EXIT of #{short(who, names)}: #{short(reason, names)}"
  def message({:task, call}, names), do: "task " <> short(call, names)
  def message({:other, message}, names), do: short(message, names)
  def message(:aside, _names), do: "..."

  def message({:result, reference, message}, names) do
    "#{if names[{:call, reference}], do: "reply", else: "result"} #{short(message, names)}"
  end

  def message({kind, message}, names), do: "#{kind} #{short(message, names)}"

  @doc "A printed term with names for pids and without the numbers of references and functions."
  @spec short(String.t(), Names.names()) :: String.t()
  def short(text, names) do
    text
    |> with_names(names)
    |> String.replace(@reference, &Map.get(names, &1, "#ref"))
    |> String.replace(@function_in_test, "fn")
    |> String.replace(@function_of_ours, "fn")
    |> String.replace(@function_in, "fn in \\1")
    |> String.replace(@function, "fn")
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
