defmodule Lockstep.Support.Oracle do
  @moduledoc false
  # The native oracle: the same program on the plain VM and inside Lockstep.

  alias Lockstep.Support.Outside

  @native_runs 10
  @seeds 60
  # ms
  @grace 10

  @doc "What the program comes to, on either side, over several runs; each list without repetitions, sorted."
  def outcomes(program) do
    Outside.listen()
    inside = for seed <- 1..@seeds, do: inside(program, seed)
    {native(program), inside |> Enum.uniq() |> Enum.sort()}
  end

  @doc "What the program comes to on the plain VM."
  def native(program), do: program |> runs() |> Enum.uniq() |> Enum.sort()

  @doc "What the program comes to on the plain VM in each of several runs."
  def runs(program), do: for(_ <- 1..@native_runs, do: natively(program))

  # A process of its own: what the program leaves behind must not be found by the next.
  defp natively(program) do
    caller = self()

    {_, monitor} =
      spawn_monitor(fn ->
        outcome = program.()
        {:links, links} = Process.info(self(), :links)
        send(caller, {:native, outcome, links})
        exit(:shutdown)
      end)

    receive do
      {:native, outcome, links} ->
        receive do: ({:DOWN, ^monitor, _, _, _} -> :ok)
        await_ends(for(pid <- links, is_pid(pid), do: Process.monitor(pid)))
        outcome

      {:DOWN, ^monitor, :process, _, reason} ->
        Process.sleep(@grace)
        {:died, reason}
    end
  end

  # What was linked to it is going, too; what was linked to that has a moment.
  defp await_ends(monitors) do
    for monitor <- monitors do
      receive do: ({:DOWN, ^monitor, _, _, _} -> :ok), after: (@grace -> Process.demonitor(monitor, [:flush]))
    end

    Process.sleep(1)
  end

  defp inside(program, seed) do
    # A process that is held back makes short timeouts expire, as an overloaded machine would; this one is idle.
    Lockstep.Runner.run(program, seeds: [seed], strategy: :random, max_stall: 0, escapes: :raise)

    receive do
      {:outcome, outcome} -> outcome
    end
  end
end
