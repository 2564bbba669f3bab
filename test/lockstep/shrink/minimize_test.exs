defmodule Lockstep.Shrink.MinimizeTest do
  use ExUnit.Case, async: true

  alias Lockstep.Shrink.Minimize

  # Counts its calls.
  defp counted(wanted?), do: fn items, count -> {wanted?.(items), count + 1} end

  defp ddmin(items, wanted?), do: Minimize.ddmin(items, 0, counted(wanted?))

  defp holds?(items, needed), do: Enum.all?(needed, &(&1 in items))

  describe "ddmin/3" do
    test "leaves what is needed, in its order" do
      for needed <- [[], [1], [100], [50, 51], [1, 100], [3, 14, 15, 92], Enum.to_list(1..100)] do
        assert {^needed, _} = ddmin(Enum.to_list(1..100), &holds?(&1, needed))
      end
    end

    test "asks few times for few, and never for the whole" do
      assert {[7], count} = ddmin(Enum.to_list(1..1024), &holds?(&1, [7]))
      assert count < 30

      {_, _} = ddmin(Enum.to_list(1..10), fn items -> length(items) < 10 && holds?(items, [4, 5]) end)
    end

    test "finds nothing to leave out of nothing" do
      assert ddmin([], fn _ -> true end) == {[], 0}
    end

    test "looks again at what was needed only for something that is gone" do
      # 1 is needed as long as 2 is there, which nothing needs.
      wanted? = fn items -> 9 in items and (2 not in items or 1 in items) end
      assert {[9], _} = ddmin(Enum.to_list(1..9), wanted?)
    end

    test "leaves nothing single that can be left out" do
      :rand.seed(:exsss, 4711)

      for _ <- 1..200 do
        # Some of the items are needed, and some of those only if another one is there.
        needed = Enum.take_random(1..12, :rand.uniform(4))
        only_with = for _ <- 1..3, do: {:rand.uniform(12), :rand.uniform(12)}

        wanted? = fn items ->
          holds?(items, needed) and Enum.all?(only_with, fn {a, b} -> a not in items or b in items end)
        end

        all = Enum.to_list(1..12)

        if wanted?.(all) do
          {left, _} = ddmin(all, wanted?)
          assert wanted?.(left)
          for item <- left, do: refute(wanted?.(left -- [item]))
        end
      end
    end

    test "takes the state along" do
      test = fn items, seen -> {holds?(items, [2]), [items | seen]} end
      assert {[2], [_ | _] = seen} = Minimize.ddmin([1, 2, 3], [], test)
      assert [1, 2, 3] not in seen
    end
  end

  describe "least/4" do
    test "finds the least that is wanted" do
      for least <- 0..20 do
        assert {^least, _} = Minimize.least(0, 20, 0, counted(&(&1 >= least)))
      end
    end

    test "answers the highest where nothing less is wanted, without asking for it" do
      assert {5, asked} = Minimize.least(0, 5, [], fn number, asked -> {false, [number | asked]} end)
      assert 5 not in asked
    end
  end
end
