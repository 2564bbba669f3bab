defmodule Lockstep.Runner.Divergence do
  @moduledoc false
  # Where a run leaves the path of another that was recorded before, perhaps of code that was different then.

  alias Lockstep.Report.{Names, Roles, Time, Words}
  alias Lockstep.Simulation.Events
  alias Lockstep.Trace

  @enforce_keys [:step, :recorded, :met, :recorded_names, :met_names]
  defstruct @enforce_keys

  @typedoc "The step, and the event of either run there; `nil` for the event where that run has ended before."
  @type t :: %__MODULE__{
          step: pos_integer(),
          recorded: map() | nil,
          met: map() | nil,
          recorded_names: Names.names(),
          met_names: Names.names()
        }

  # What says nothing about what a program does: the number that the VM gives to a function of a module, which changes
  # with the module, and the lines in a stack trace.
  @incidental [{~r/#Function<\d+\.\d+\//, "#Function</"}, {~r/\bline: \d+/, "line: _"}]

  @typedoc "The name of the test then, and today: the functions in it are called after it."
  @type test_names :: {String.t(), String.t()} | nil

  @doc """
  The first event that differs, or `nil`. Where in the source an event was asked for makes no difference, nor does it that
  the test has another name.
  """
  @spec between(Trace.t(), Trace.t(), test_names()) :: t() | nil
  def between(recorded, met, names \\ nil) do
    case first(recorded.events, met.events, names) do
      nil -> nil
      {one, other} -> divergence(one, other, recorded, met)
    end
  end

  defp first([], [], _names), do: nil
  defp first([one | _], [], _names), do: {one, nil}
  defp first([], [other | _], _names), do: {nil, other}

  defp first([one | more], [other | others], names),
    do: if(same?(one, other, names), do: first(more, others, names), else: {one, other})

  # How the main process ends is what the run comes to, and no part of the way there.
  defp same?(%{kind: :exit, process: 0}, %{kind: :exit, process: 0}, _names), do: true

  defp same?(one, other, names) do
    compared = &{&1.process, &1.node, &1.kind, &1.object, &1.detail, &1.time}

    compared.(one) == compared.(other) and
      (one.text == other.text or essence(one.text, names) == essence(other.text, names))
  end

  defp essence(text, names) do
    Enum.reduce(@incidental, as_then(text, names), fn {what, instead}, text -> Regex.replace(what, text, instead) end)
  end

  defp as_then(text, {recorded, today}) when recorded != today,
    do: String.replace(text, escaped(today), escaped(recorded))

  defp as_then(text, _names), do: text

  # As it stands in the name of a function.
  defp escaped(name), do: name |> inspect() |> String.slice(1..-2//1)

  defp divergence(one, other, recorded, met) do
    %__MODULE__{
      step: (one || other).step,
      recorded: one && worded(one, recorded),
      met: other && worded(other, met),
      recorded_names: names(recorded),
      met_names: names(met)
    }
  end

  defp names(trace), do: trace |> Events.processes_of() |> Roles.label(Events.of_trace(trace)) |> Names.build()

  # The event in words, with a place in words: its own, or else the nearest that is known.
  defp worded(event, trace) do
    {before, [event | _]} = trace |> Events.of_trace() |> Enum.split_while(&(&1.step != event.step))
    Map.put(event, :where, where(event, Enum.reverse(before)))
  end

  defp where(%{place: {file, line}}, _before), do: "#{file}:#{line}"
  defp where(%{process: nil}, _before), do: nil

  # A call in the last place of a function leaves no trace of the function on the stack.
  defp where(%{process: process}, before) do
    Enum.find_value(before, fn
      %{process: ^process, place: {file, line}} -> "after #{file}:#{line}"
      %{kind: :spawn, object: ^process, place: {file, line}} -> "started at #{file}:#{line}"
      _ -> nil
    end)
  end

  @doc "The two events in words, each with its process and its place."
  @spec describe(t()) :: String.t()
  def describe(%__MODULE__{} = divergence) do
    {recorded, met} = texts(divergence)
    "  recorded:  #{recorded}\n  this run:  #{met}"
  end

  @doc "The recorded event and the one that was met instead, in words."
  @spec texts(t()) :: {String.t(), String.t()}
  def texts(%__MODULE__{} = divergence) do
    {one, other} = both(divergence, &Words.of/2)
    # What reads well may leave out what differs.
    if one == other, do: both(divergence, &Words.with_names(&1.text, &2)), else: {one, other}
  end

  # The time says something only where it differs.
  defp both(%{recorded: recorded, met: met} = divergence, words) do
    times? = recorded == nil or met == nil or recorded.time != met.time
    {event(recorded, divergence.recorded_names, words, times?), event(met, divergence.met_names, words, times?)}
  end

  defp event(nil, _names, _words, _times?), do: "has ended"

  defp event(event, names, words, times?) do
    time = if times?, do: ", at #{Time.ms(event.time)} ms", else: ""
    "#{Names.actor(event, names)}: #{words.(event, names)}#{place(event.where)}#{time}"
  end

  defp place(nil), do: ""
  defp place(where), do: " (#{where})"
end
