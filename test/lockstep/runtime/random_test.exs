defmodule Lockstep.Runtime.RandomTest do
  # What comes out of the runs comes to one listener.
  use ExUnit.Case, async: false
  use Lockstep

  alias Lockstep.Runner
  alias Lockstep.Support.Outside

  # What each of these programs draws, by seed.
  defp drawn(fun, seeds) do
    Outside.listen()

    for seed <- seeds do
      Runner.run(fn -> Outside.tell(fun.()) end, seed: seed, strategy: :random, escapes: :raise)
      assert_receive {:outcome, drawn}
      drawn
    end
  end

  @sources [
    rand: quote(do: :rand.uniform(1_000_000)),
    enum: quote(do: Enum.random(1..1_000_000)),
    shuffle: quote(do: Enum.shuffle(Enum.to_list(1..50))),
    seed: quote(do: :rand.uniform_s(1_000_000, :rand.seed_s(:exro928ss)) |> elem(0)),
    bytes: quote(do: :crypto.strong_rand_bytes(8)),
    rand_uniform: quote(do: apply(:crypto, :rand_uniform, [5, 1_000_000])),
    crypto_seed: quote(do: :rand.uniform_s(1_000_000, :crypto.rand_seed_s()) |> elem(0)),
    mwc59: quote(do: :rand.mwc59_value32(:rand.mwc59_seed())),
    another: quote(do: Task.await(Task.async(fn -> :rand.uniform(1_000_000) end)))
  ]

  for {name, source} <- @sources do
    test "#{name}: the same for the same seed, another for another" do
      draw = fn -> unquote(source) end
      assert [one, other] = drawn(draw, [1, 2])
      assert one != other
      assert drawn(draw, [1, 2]) == [one, other]
    end
  end

  test "two processes draw different numbers" do
    Runner.run(fn ->
      tasks = for _ <- 1..2, do: Task.async(fn -> :rand.uniform(1_000_000_000) end)
      assert [one, other] = Task.await_many(tasks)
      assert one != other
    end)
  end

  test "a range is kept to" do
    Runner.run(fn ->
      for _ <- 1..50, do: assert(apply(:crypto, :rand_uniform, [-3, 3]) in -3..2)
    end)
  end
end
