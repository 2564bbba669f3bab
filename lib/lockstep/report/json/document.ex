defmodule Lockstep.Report.Json.Document do
  @moduledoc false
  # The facts of a failure as data for JSON. The names of the fields are an interface: `docs/reading-a-failure.md` lists
  # them, and `version` changes if one of them changes its meaning or goes.

  alias Lockstep.Failures.StoredError
  alias Lockstep.Report.{Facts, Stack, UserError, Words}
  alias Lockstep.Runner.Strategies

  @version 1
  # Wide enough that nothing is broken for want of room.
  @width 1000

  @doc "The document, as `Lockstep.Report.Json.encode/1` takes it."
  @spec of(Facts.t()) :: keyword()
  def of(%Facts{failure: failure} = facts) do
    {strategy, chosen} = strategies(failure.strategy, failure.chosen)

    [
      version: @version,
      seed: failure.seed,
      run: failure.run,
      runs_planned: failure.summary.total,
      strategy: strategy,
      chosen: chosen,
      steps: failure.result.steps,
      virtual_ms: failure.result.virtual_ms,
      deterministic: failure.nondeterminism == nil,
      test: test(failure.location),
      error: error(facts),
      shrunk: shrunk(facts.shrunk),
      decides: decides(facts),
      processes: for(process <- facts.processes, do: process(process, facts)),
      story: for(event <- facts.slice.events, do: event(event, facts)),
      left_out: [earlier: facts.slice.earlier, unrelated: facts.slice.others],
      waits: for(wait <- facts.waits, do: wait(wait, facts)),
      cycle: cycle(facts),
      output: for(entry <- facts.result.output, do: output(entry, facts)),
      escapes:
        for(
          {{module, function, arity, _place}, _count} <- failure.result.escapes,
          do: Exception.format_mfa(module, function, arity)
        ),
      replay: failure.replay,
      file: failure.file,
      replayed: replayed(failure.replayed)
    ]
  end

  # As `LOCKSTEP_STRATEGY` takes them: what was asked for, and what the seed had of it where that is more than one.
  defp strategies(text, _chosen) when is_binary(text), do: stored(text)
  defp strategies({:replay, _choices}, _chosen), do: {"replay", nil}
  defp strategies(:portfolio, chosen) when chosen != nil, do: {"portfolio", Strategies.variable(chosen)}
  defp strategies(asked, _chosen), do: {Strategies.variable(asked), nil}

  # Of a failure that was stored they are in words: see `Strategies.describe/2`.
  defp stored(":portfolio (" <> rest) do
    chosen = rest |> String.trim_trailing(")") |> String.replace("pct, depth ", "pct:")
    {"portfolio", chosen}
  end

  defp stored("replay of " <> _count), do: {"replay", nil}
  defp stored(text), do: {text |> String.replace(~r/^{:pct, (\d+)}$/, "pct:\\1") |> String.trim_leading(":"), nil}

  defp test(nil), do: nil

  defp test(location) do
    [
      module: module(location[:module]),
      name: location[:test],
      file: location[:file] && to_string(location[:file]),
      line: location[:line]
    ]
  end

  defp replayed(nil), do: nil

  defp replayed(%{divergence: nil} = replay), do: [ending: replay.ending, left_at_step: nil, recorded: nil, met: nil]

  defp replayed(%{divergence: divergence} = replay) do
    {recorded, met} = Lockstep.Runner.Divergence.texts(divergence)
    [ending: replay.ending, left_at_step: divergence.step, recorded: recorded, met: met]
  end

  # Of a failure that was stored, the name is all there is.
  defp module(name) when is_binary(name), do: name
  defp module(module), do: inspect(module)

  defp error(%{error: %StoredError{} = error} = facts) do
    frame = if error.file, do: [function: nil, file: error.file, line: error.line]
    [kind: error.kind, type: error.name, message: message(facts), stacktrace: List.wrap(frame && [frame])]
  end

  defp error(%{error: {:crash, kind, reason, trace}} = facts) do
    [kind: kind, type: type(kind, reason), message: message(facts), stacktrace: trace |> Stack.prune() |> frames()]
  end

  defp error(%{error: %module{} = error} = facts) do
    [
      kind: :lockstep,
      type: inspect(module),
      message: message(facts),
      stacktrace: error |> Map.get(:stacktrace) |> Stack.prune() |> frames()
    ]
  end

  defp type(:error, reason), do: inspect(Exception.normalize(:error, reason, []).__struct__)
  defp type(_kind, _reason), do: nil

  defp message(facts), do: facts.error |> UserError.format(facts.failure.location, @width) |> plain()

  # The colours of a terminal are not for tools.
  defp plain(text), do: String.replace(text, ~r/\e\[[0-9;]*m/, "")

  defp frames(trace), do: Enum.map(trace, &frame/1)

  defp frame({module, function, arity, location}) do
    arity = if is_list(arity), do: length(arity), else: arity
    frame(Exception.format_mfa(module, function, arity), location)
  end

  defp frame({function, arity, location}) do
    arity = if is_list(arity), do: length(arity), else: arity
    frame(Exception.format_fa(function, arity), location)
  end

  defp frame(function, location) do
    [function: function, file: location[:file] && to_string(location[:file]), line: location[:line]]
  end

  defp shrunk(%{before: before, after: now, replays: replays}),
    do: [before: counts(before), after: counts(now), replays: replays]

  defp shrunk(nil), do: nil

  defp counts(counts), do: for(key <- [:faults, :stalls, :switches, :steps], do: {key, counts[key] || 0})

  defp decides(%{shrunk: %{pair: {earlier, later}, stacks: stacks}} = facts) do
    for event <- [earlier, later] do
      event |> event(facts) |> Keyword.put(:stacktrace, stacks[event.step] |> Stack.prune() |> frames())
    end
  end

  defp decides(_facts), do: []

  defp process(process, facts) do
    [
      id: process.id,
      name: facts.names[process.id],
      node: to_string(process.node),
      service: Map.get(process, :service?, false),
      task: process[:task]
    ]
  end

  defp event(event, facts) do
    [
      step: event.step,
      virtual_us: event.time,
      process: event.process,
      node: event.node && to_string(event.node),
      kind: event.kind,
      text: Words.of(event, facts.names),
      detail: event.text,
      file: place(event, 0),
      line: place(event, 1),
      decides: event.step in Facts.decisive(facts.shrunk)
    ]
  end

  defp place(%{place: {_file, _line} = place}, index), do: place |> elem(index) |> shown()
  defp place(_event, _index), do: nil

  defp shown(line) when is_integer(line), do: line
  defp shown(file), do: to_string(file)

  defp wait(wait, facts),
    do: [
      process: wait.process,
      for: wait.for,
      kind: wait.kind,
      message: wait.what && Words.short(wait.what, facts.names),
      since_step: wait.step
    ]

  defp cycle(%{cycle: nil}), do: nil

  defp cycle(%{cycle: {certainty, cycle}}),
    do: [certain: certainty == :certain, processes: Enum.map(cycle, & &1.process)]

  defp output(%{kind: {kind, level}} = entry, facts) do
    [kind: kind, level: level, process: entry[:process], text: Words.with_names(entry.text, facts.names)]
  end
end
