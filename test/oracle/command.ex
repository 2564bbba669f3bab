defmodule Oracle.Command do
  @moduledoc false
  # bin/oracle: runs scenarios on real nodes, compares what is seen with what was recorded, or records it.

  alias Oracle.{Observations, Real, Scenario, Scenarios}

  @switches [record: :boolean, show: :boolean, jobs: :integer, times: :integer]
  # ms
  @patience 120_000

  @doc "Returns the exit status."
  def run(arguments) do
    {options, texts} = OptionParser.parse!(arguments, strict: @switches)
    scenarios = Scenarios.matching(texts)
    start = System.monotonic_time(:millisecond)
    recorded = Observations.read(Observations.release())

    results =
      for _ <- 1..Keyword.get(options, :times, 1),
          result <- observe_all(scenarios, recorded, options),
          do: result

    seconds = Float.round((System.monotonic_time(:millisecond) - start) / 1000, 1)
    if options[:record], do: record(results, recorded)
    summary(results, seconds, options)
  end

  defp observe_all(scenarios, recorded, options) do
    scenarios
    |> Task.async_stream(&observe/1,
      max_concurrency: Keyword.get(options, :jobs, 2),
      timeout: :infinity,
      ordered: true
    )
    |> Enum.map(fn {:ok, {scenario, observation, took}} ->
      verdict = verdict(scenario, observation, recorded[scenario.title])
      print(scenario, verdict, took, observation, recorded[scenario.title], options)
      {scenario, observation, verdict}
    end)
  end

  defp observe(scenario) do
    start = System.monotonic_time(:millisecond)
    observation = observation(scenario)
    {scenario, observation, System.monotonic_time(:millisecond) - start}
  end

  # In a process of its own, so that nothing of it is left for the next.
  defp observation(scenario) do
    {pid, monitor} =
      spawn_monitor(fn -> exit({:observation, Oracle.Outcome.of(fn -> Scenario.observe(scenario, Real) end)}) end)

    receive do
      {:DOWN, ^monitor, _, _, {:observation, outcome}} -> outcome
      {:DOWN, ^monitor, _, _, reason} -> {:died, reason}
    after
      @patience ->
        Process.exit(pid, :kill)
        :took_too_long
    end
  end

  defp verdict(scenario, {:ok, observation}, recorded), do: Observations.compare(scenario, observation, recorded)
  defp verdict(_scenario, _failure, _recorded), do: :failed

  defp record(results, recorded) do
    seen =
      for({scenario, {:ok, observation}, _} <- results, do: {scenario, observation})
      |> Enum.group_by(&elem(&1, 0), &elem(&1, 1))

    observations =
      for {scenario, seen} <- seen, into: recorded do
        {scenario.title, Observations.add(scenario, recorded[scenario.title], seen)}
      end

    Observations.write(Observations.release(), Scenarios.all(), observations)

    for {scenario, seen} <- seen,
        scenario.compare == :exact,
        several?(seen),
        do: IO.puts("several: #{scenario.title}")
  end

  defp several?(seen), do: length(Enum.uniq(seen)) > 1

  defp print(scenario, verdict, took, observation, recorded, options) do
    IO.puts("#{pad(scenario.rule, 15)} #{pad(verdict, 8)} #{pad(Float.round(took / 1000, 1), 6)} #{scenario.title}")
    if options[:show] || verdict in [:differs, :failed], do: show("seen", observation)
    if verdict == :differs, do: show("recorded", recorded)
  end

  defp show(what, term), do: IO.puts("    #{what}: #{inspect(term, limit: :infinity, pretty: true, width: 110)}")

  defp pad(term, width), do: term |> to_string() |> String.pad_trailing(width)

  defp summary(results, seconds, options) do
    counts = Enum.frequencies_by(results, &elem(&1, 2))
    rules = results |> Enum.map(fn {scenario, _, _} -> scenario.rule end) |> Enum.uniq() |> length()
    agree = Map.get(counts, :agrees, 0)

    IO.puts(
      "\n#{length(results)} scenarios of #{rules} rules, Erlang/OTP #{Observations.release()}: #{inspect(counts)}, #{seconds} s"
    )

    failed? = Map.get(counts, :failed, 0) > 0
    if failed? or (agree < length(results) and not Keyword.get(options, :record, false)), do: 1, else: 0
  end
end
