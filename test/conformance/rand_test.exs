defmodule Conformance.RandTest do
  # `:rand`: the state of a process, seeded and not.
  use Lockstep.Support.Conformance

  test "a process has no state until it needs one" do
    check(fn ->
      before =
        {:rand.export_seed(), Process.get(:rand_seed), Process.put(:rand_seed, :mine), Process.delete(:rand_seed)}

      number = :rand.uniform(10)
      state = :rand.export_seed() |> elem(0)
      {before, number in 1..10, state, :rand_seed in Process.get_keys(), match?({%{}, _}, Process.get(:rand_seed))}
    end)
  end

  test "every function that goes on from a state makes one" do
    check(fn ->
      makes = fn fun ->
        Task.async(fn ->
          {:rand.export_seed(), fun.() != nil, is_tuple(:rand.export_seed()), is_tuple(Process.get(:rand_seed))}
        end)
        |> Task.await()
      end

      Enum.map(
        [
          &:rand.uniform/0,
          fn -> :rand.uniform(7) end,
          &:rand.uniform_real/0,
          &:rand.normal/0,
          fn -> :rand.normal(1, 2) end,
          fn -> :rand.bytes(3) end,
          &:rand.jump/0,
          fn -> Enum.random(1..3) end,
          fn -> Enum.shuffle([1, 2]) end,
          fn -> apply(untyped(:rand), :uniform, [3]) end
        ],
        makes
      )
    end)
  end

  test "a seed of one's own gives the numbers of the VM, in every process" do
    check(fn ->
      numbers = fn ->
        :rand.seed(:exsss, {1, 2, 3})

        {:rand.uniform(1000), :rand.uniform(), Enum.shuffle(1..5), Enum.random(1..100), :rand.normal(),
         :rand.bytes(4)}
      end

      {numbers.(), Task.async(numbers) |> Task.await(), :rand.seed(:default, 42) && :rand.uniform(100_000)}
    end)
  end

  test "wrong arguments" do
    check(fn -> for arg <- [0, -1, :many, 1.5], do: caught(fn -> :rand.uniform(arg) end) end)
  end

  test "a state that is deleted is made again from the run's seed" do
    program = fn ->
      drawn =
        for _ <- 1..3 do
          Process.delete(:rand_seed)
          :rand.uniform(1_000_000_000)
        end

      Lockstep.Support.Outside.tell(drawn)
    end

    Lockstep.Support.Outside.listen()
    Lockstep.Runner.run(program, seeds: [1], strategy: :random, check_determinism: true)
    assert_received {:outcome, drawn}
    assert_received {:outcome, ^drawn}
    assert Enum.uniq(drawn) == drawn
  end
end
