defmodule RosterTest do
  use ExUnit.Case, async: true

  alias Superheroes.Roster
  alias Superheroes.Roster.{Hybrid, Seconds}

  @rounds 1..500

  describe "whatever two or three cities have done" do
    test "it does not matter who tells whom, with hybrid clocks" do
      for round <- @rounds, [a, b, _c] = rosters(Hybrid, round), do: assert(Hybrid.merge(a, b) == Hybrid.merge(b, a))
    end

    test "it does not matter in which order, with hybrid clocks" do
      for round <- @rounds, [a, b, c] = rosters(Hybrid, round) do
        assert Hybrid.merge(a, Hybrid.merge(b, c)) == Hybrid.merge(Hybrid.merge(a, b), c)
      end
    end

    test "it does not matter how often" do
      for module <- [Hybrid, Seconds], round <- @rounds, [a, b, _c] = rosters(module, round) do
        merged = module.merge(a, b)
        assert module.merge(a, a) == a
        assert module.merge(merged, b) == merged
      end
    end

    test "with clocks of seconds it does matter who tells whom" do
      broken =
        Enum.filter(@rounds, fn round ->
          [a, b, _c] = rosters(Seconds, round)
          Seconds.merge(a, b) != Seconds.merge(b, a)
        end)

      assert length(broken) > 50
    end
  end

  test "the least example: two changes of one hero in one second" do
    gotham = Seconds.new() |> Seconds.enlist(1, "Owl", :gotham)
    metropolis = Seconds.assign(gotham, 1, :metropolis)
    # The second may have ended just then.
    metropolis = put_in(metropolis.heroes[1].last_updated, gotham.heroes[1].last_updated)

    assert %{1 => %{city: :metropolis}} = Seconds.heroes(Seconds.merge(gotham, metropolis))
    assert %{1 => %{city: :gotham}} = Seconds.heroes(Seconds.merge(metropolis, gotham))
  end

  test "who changes what he has seen wins, even against a clock that is ahead" do
    ahead =
      Hybrid.enlist(%{Hybrid.new() | clock: {System.system_time(:millisecond) + 3_600_000, 0}}, 1, "Owl", :gotham)

    changed = Hybrid.new() |> Hybrid.merge(ahead) |> Hybrid.assign(1, :metropolis)

    for merged <- [Hybrid.merge(ahead, changed), Hybrid.merge(changed, ahead)] do
      assert %{1 => %{city: :metropolis}} = Hybrid.heroes(merged)
    end
  end

  test "a hero who is not known can be assigned only with hybrid clocks" do
    assert Hybrid.heroes(Hybrid.assign(Hybrid.new(), 1, :gotham)) == %{}
    assert_raise KeyError, ~r/key :health not found/, fn -> Seconds.assign(Seconds.new(), 1, :gotham) end
  end

  test "a hero without health retires, and who has retired does not come back" do
    for module <- [Hybrid, Seconds] do
      healthy = module.new() |> module.enlist(1, "Owl", :gotham) |> module.hurt(1, 99)
      assert %{1 => %{health: 1}} = module.heroes(healthy)
      retired = module.hurt(healthy, 1, 1)
      assert module.heroes(retired) == %{}
      assert module.heroes(module.merge(retired, module.assign(healthy, 1, :metropolis))) == %{}
    end
  end

  test "a rest does no more than make healthy" do
    assert Roster.rested(%{health: 50}) == 70
    assert Roster.rested(%{health: 90}) == 100
  end

  # The rosters of three cities that change heroes and tell one another now and then.
  defp rosters(module, round) do
    :rand.seed(:exsss, round)
    known = Enum.reduce(1..2, module.new(), &module.enlist(&2, &1, "hero #{&1}", :gotham))
    Enum.reduce(1..12, [known, known, known], fn _, rosters -> step(module, rosters) end)
  end

  defp step(module, rosters) do
    [source, target] = Enum.take_random(0..2, 2)
    List.update_at(rosters, target, &change(module, &1, Enum.at(rosters, source)))
  end

  defp change(module, roster, other) do
    case Enum.random([:assign, :assign, :hurt, :retire, :merge]) do
      :merge -> module.merge(roster, other)
      :assign -> assign(module, roster)
      :hurt -> module.hurt(roster, Enum.random(1..2), Enum.random(1..60))
      :retire -> if Enum.random(1..4) == 1, do: module.retire(roster, Enum.random(1..2)), else: roster
    end
  end

  defp assign(module, roster) do
    case Map.keys(module.heroes(roster)) do
      [] -> roster
      ids -> module.assign(roster, Enum.random(ids), Enum.random([:gotham, :metropolis, :star_city]))
    end
  end
end
