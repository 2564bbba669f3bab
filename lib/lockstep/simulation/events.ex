defmodule Lockstep.Simulation.Events do
  @moduledoc false
  # The events of a recorded run in words, for people.
  #
  # Most were put into words by the process that caused them. What the network and the clock do, nobody was there to
  # describe: it is told from the event's numbers.

  alias Lockstep.Simulation.Result

  # Too small to matter in a table: they say what the next line says better.
  @silent [:start, :stall]

  # What happens between two nodes.
  @between [:connected, :disconnected, :refused, :tick, :busy]

  @doc "The events with their texts; messages are shown again where they are delivered. `nodes` are names by number."
  @spec in_words([tuple()], [node()]) :: [Result.event()]
  def in_words(events, nodes \\ []) do
    sent = for {_, _, _, _, :send, id, _, _, text, _} <- events, into: %{}, do: {id, text}
    nodes = nodes |> Enum.with_index() |> Map.new(fn {name, number} -> {number, inspect(name)} end)
    Enum.map(events, &event(&1, sent, nodes))
  end

  @doc "The events of a trace, in the same way: names of nodes are texts, except for the control node's."
  @spec of_trace(Lockstep.Trace.t()) :: [Result.event()]
  def of_trace(trace) do
    sent = for %{kind: :send, object: id, text: text} <- trace.events, into: %{}, do: {id, text}
    nodes = trace.nodes |> Enum.with_index() |> Map.new(fn {name, number} -> {number, node_name(name)} end)
    shown = Map.new(nodes, fn {number, name} -> {number, atom_text(name)} end)

    for event <- trace.events do
      text = if event.text == "", do: unnoted(event.kind, event.object, event.detail, sent, shown), else: event.text
      place = event.place && {event.place.file, event.place.line}
      %{event | text: text, place: place, node: event.node && Map.get(nodes, event.node)}
    end
  end

  @doc "The processes of a trace, as those of a result."
  @spec processes_of(Lockstep.Trace.t()) :: [Result.process()]
  def processes_of(trace) do
    for %{id: id, node: node, name: name, service: service?} <- trace.processes do
      %{id: id, node: node_name(node), label: label(id, name), service?: service?}
    end
  end

  defp node_name("nonode@nohost"), do: :nonode@nohost
  defp node_name(name), do: name

  defp label(0, _name), do: "main"
  defp label(_id, nil), do: nil
  defp label(_id, name), do: atom_text(name)

  # What `inspect/1` says of the atom, which may be one that this VM does not have.
  defp atom_text(name) when is_atom(name), do: inspect(name)
  defp atom_text("Elixir." <> module), do: module

  defp atom_text(name) do
    if name =~ ~r/^[a-z_][A-Za-z0-9_@]*[?!]?$/, do: ":" <> name, else: ":" <> inspect(name)
  end

  defp event({step, time, process, node, kind, object, detail, digest, text, place}, sent, nodes) do
    text = if text == "", do: unnoted(kind, object, detail, sent, nodes), else: text

    event = %{
      step: step,
      time: time,
      process: process,
      node: node,
      kind: kind,
      text: text,
      digest: digest,
      place: place
    }

    Map.merge(event, %{object: object, detail: detail})
  end

  @doc """
  What happened, where nobody has put it into words: `sent` are the texts of messages by number, `nodes` the names of
  nodes by number.
  """
  @spec unnoted(atom(), non_neg_integer(), non_neg_integer(), map(), map()) :: String.t()
  def unnoted(kind, object, detail, _sent, nodes) when kind in @between do
    between(kind, nodes[object] || "node #{object}", nodes[detail] || "node #{detail}")
  end

  def unnoted(kind, object, detail, sent, _nodes), do: text(kind, object, detail, sent)

  defp between(:connected, a, b), do: "#{a} and #{b} are connected"
  defp between(:disconnected, a, b), do: "#{a} loses #{b}"
  defp between(:refused, a, b), do: "#{a} cannot connect to #{b}"
  defp between(:busy, a, b), do: "has to wait: the connection of #{a} with #{b} takes no more"
  defp between(:tick, a, b), do: "#{a} has not heard of #{b} for the tick time"

  defp text(:deliver, id, _from, sent), do: "deliver: #{Map.get(sent, id, "message #{id}")}"
  defp text(:lost, id, _from, sent) when is_map_key(sent, id), do: "lost: #{sent[id]}"
  defp text(:lost, _id, _from, _sent), do: "lost: nobody is there to receive it"
  defp text(:fire, _ref, _id, _sent), do: "timer fires"
  defp text(:down, _id, _ref, _sent), do: "a monitor fires"
  defp text(:exit_signal, _id, from, _sent), do: "an exit signal of process #{from} arrives"
  defp text(:spawned, _id, process, _sent), do: "process #{process} has been started"
  defp text(:stall, length, _, _sent), do: "held back for #{length / 1000} ms"
  defp text(:killed, _, _, _sent), do: "killed"
  defp text(:heal, _, _, _sent), do: "heal"
  defp text(:yield, _, _, _sent), do: "yield"
  defp text(:receive, _, _, _sent), do: "receive"
  defp text(kind, _object, _detail, _sent) when kind in @silent, do: Atom.to_string(kind)
  defp text(kind, _object, _detail, _sent), do: kind |> Atom.to_string() |> String.replace("_", " ")
end
