Code.require_file("oracle/inside.exs", __DIR__)

defmodule OracleTest do
  # What simulated nodes do is what real ones were seen to do (bin/oracle), for every scenario and several seeds.
  use ExUnit.Case, async: false

  alias Oracle.{Inside, Observations, Scenarios}

  @moduletag :capture_log
  @seeds 1..5

  # Of a release that was never recorded, what the nearest one did.
  @release Enum.min_by(
             Observations.releases(),
             &abs(String.to_integer(&1) - String.to_integer(Observations.release()))
           )
  @recorded Observations.read(@release)

  for scenario <- Scenarios.all(), scenario.simulated do
    @scenario scenario
    test scenario.title do
      verdicts = for seed <- @seeds, do: verdict(@scenario, seed)
      if @scenario.open, do: open!(@scenario, verdicts), else: Enum.each(verdicts, &agrees!(@scenario, &1))
    end
  end

  test "scenarios and observations belong together" do
    titles = Enum.map(Scenarios.all(), & &1.title)
    assert titles == Enum.uniq(titles)

    for release <- Observations.releases(),
        do: assert(Enum.sort(titles) == Enum.sort(Map.keys(Observations.read(release))))

    for scenario <- Scenarios.all(), do: assert(scenario.simulated or is_binary(scenario.because))
  end

  test "every observation of real nodes is one that its scenario takes" do
    for scenario <- Scenarios.all(), recorded = @recorded[scenario.title], observation <- recorded do
      assert Observations.compare(scenario, observation, recorded) == :agrees, scenario.title
    end
  end

  test "another observation is none" do
    [scenario | _] = Scenarios.matching(["R-ORD2"])
    assert Observations.compare(scenario, [:first, :second], @recorded[scenario.title]) == :differs
  end

  defp verdict(scenario, seed) do
    case Inside.observe(scenario, seed) do
      {:ok, observation} ->
        {Observations.compare(scenario, observation, @recorded[scenario.title]), seed, observation}

      {:failed, failure} ->
        {:failed, seed, Exception.message(failure)}
    end
  end

  defp agrees!(_scenario, {:agrees, _seed, _observation}), do: :ok
  defp agrees!(_scenario, {:failed, seed, message}), do: flunk("seed #{seed}: #{message}")

  defp agrees!(scenario, {_differs, seed, observation}) do
    flunk("""
    seed #{seed} gives

    #{inspect(observation, pretty: true, limit: :infinity)}

    nodes of Erlang/OTP #{@release} gave

    #{inspect(@recorded[scenario.title], pretty: true, limit: :infinity)}
    """)
  end

  defp open!(scenario, verdicts) do
    agree? = Enum.all?(verdicts, &(elem(&1, 0) == :agrees))

    if agree?,
      do: flunk("simulated nodes do as real ones now; take this out of the scenario: open: #{inspect(scenario.open)}")
  end
end
