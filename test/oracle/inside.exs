defmodule Oracle.Inside do
  # Observes scenarios in runs: in a module that is instrumented, as what a run is given must be.
  use Lockstep

  alias Lockstep.Support.Outside
  alias Oracle.{Scenario, Simulated}

  @options [strategy: :random, max_stall: 0, max_virtual_time: 600_000, escapes: :raise]

  @doc "The observation of a scenario on simulated nodes with one seed, or the failure of the run."
  def observe(scenario, seed, options \\ []) do
    Outside.listen()
    body = fn -> scenario |> Scenario.observe(Simulated) |> Outside.tell() end

    case Lockstep.Runner.explore(body, Keyword.merge([seed: seed] ++ @options, options)) do
      {:ok, _summary} -> receive do: ({:outcome, observation} -> {:ok, observation})
      {:failed, failure} -> {:failed, failure}
    end
  end
end
