defmodule Gallery.Barrier do
  use Gallery.Program,
    kind: :liveness,
    bug: "a barrier is reset after it has let go, and forgets who has come for the next round already",
    fails: Lockstep.DeadlockError

  @parties 3

  def buggy, do: rounds(fn release, reset -> release.() && reset.() end)
  def fixed, do: rounds(fn release, reset -> reset.() && release.() end)

  defp rounds(open) do
    barrier = :ets.new(:barrier, [:public])
    :ets.insert(barrier, {:arrived, 0})
    together(for _ <- 1..@parties, do: fn -> Enum.each(1..2, &arrive(barrier, &1, open)) end)
  end

  defp arrive(barrier, round, open) do
    :ets.insert(barrier, {{round, self()}})

    if :ets.update_counter(barrier, :arrived, 1) == @parties do
      open.(fn -> release(barrier, round) end, fn -> :ets.insert(barrier, {:arrived, 0}) end)
    end

    receive do: ({:go, ^round} -> :ok)
  end

  defp release(barrier, round) do
    for [party] <- :ets.match(barrier, {{round, :"$1"}}), do: send(party, {:go, round})
  end
end
