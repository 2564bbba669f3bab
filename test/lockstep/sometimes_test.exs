defmodule Lockstep.SometimesTest do
  # Environment variables choose the seeds of these sweeps.
  use Lockstep.Case, async: false

  alias Lockstep.{Failure, OptionError, OutsideRunError, Runner, SometimesError}

  defp draw, do: :rand.uniform(4)

  defp unmet(fun, options \\ []) do
    {:failed, %SometimesError{} = error} = Runner.explore(fun, Keyword.merge([seeds: 20], options))
    error
  end

  # The last call of a function, of which the VM's stack knows nothing.
  defp claim(condition), do: Lockstep.sometimes("claimed", condition)
  @claim_line __ENV__.line - 1

  test "what some run meets does no harm, and the summary counts the runs" do
    summary = Runner.run(fn -> Lockstep.sometimes("drew one", draw() == 1) end, seeds: 40)
    assert %{"drew one" => met} = summary.sometimes
    assert met in 1..39
    assert to_string(summary) =~ ~r/of virtual time; .*; of 40 runs, "drew one" in #{met}$/
  end

  test "a run counts once, however often it meets the condition" do
    body = fn -> for number <- 1..3, do: Lockstep.sometimes(:even, rem(number, 2) == 0) end
    assert Runner.run(body, seeds: 5).sometimes == %{even: 5}
  end

  test "what no run meets fails the sweep, with its name and its place" do
    error = unmet(fn -> claim(draw() > 4) end)
    assert [%{name: "claimed", reached: 20, place: {_file, @claim_line}}] = error.unmet
    assert error.summary.runs == 20
    assert Exception.message(error) =~ "in none of 20 runs was this so"

    assert Exception.message(error) =~
             ~s("claimed" at test/lockstep/sometimes_test.exs:#{@claim_line}: looked at in 20 runs)
  end

  test "every process of a run can meet it, on every node" do
    body = fn ->
      [a] = Lockstep.Cluster.start_nodes([:a])
      Lockstep.sometimes("on a", false)
      Lockstep.Cluster.run(a, fn -> Lockstep.sometimes("on a", node() == :a) end)
    end

    assert Runner.run(body, seeds: 3).sometimes == %{"on a" => 3}
  end

  test "what no run comes to fails the sweep if it was declared" do
    body = fn -> if draw() > 4, do: Lockstep.sometimes("never there", true) end
    assert Runner.run(body, seeds: 20).sometimes == %{}
    error = unmet(body, sometimes: ["never there"])
    assert [%{name: "never there", reached: 0, place: nil}] = error.unmet
    assert Exception.message(error) =~ ~s("never there": no run has come to a Lockstep.sometimes of that name)
    assert unmet(body, sometimes: [:b, :a]).unmet |> Enum.map(& &1.name) == [:a, :b]
  end

  test "a single seed claims nothing" do
    assert Runner.run(fn -> claim(false) end, seed: 7, sometimes: [:other]).sometimes == %{"claimed" => 0, other: 0}
  end

  test "a run that fails comes first" do
    body = fn ->
      claim(false)
      assert draw() > 1
    end

    assert {:failed, %Failure{} = failure} = Runner.explore(body, seeds: 40)
    assert failure.summary.sometimes == %{"claimed" => 0}
  end

  test "takes no step: the schedules are the same with and without it" do
    hashes = fn claim? ->
      body = fn ->
        parent = self()
        for number <- 1..3, do: spawn(fn -> send(parent, {claim? && claim(number == 3), number}) end)
        for _ <- 1..3, do: assert_receive({_, _})
      end

      for seed <- 1..10, do: Runner.run(body, seed: seed).steps
    end

    assert hashes.(true) == hashes.(false)
  end

  test "returns the condition" do
    Runner.run(fn -> assert Lockstep.sometimes("found", [1]) == [1] end, seeds: 2)
  end

  test "is captured like any other function" do
    body = fn -> Enum.each([captured: false, captured: true], fn {name, met?} -> record().(name, met?) end) end
    assert Runner.run(body, seeds: 2).sometimes == %{captured: 2}
  end

  defp record, do: &Lockstep.sometimes/2

  test "outside of a run nobody would count" do
    assert_raise OutsideRunError, ~r"^Lockstep.sometimes/2 was called outside a run", fn -> claim(true) end
  end

  test "bad input" do
    for name <- [nil, true, 1, ["a"], <<255>>] do
      {:failed, failure} = Runner.explore(fn -> Lockstep.sometimes(name, true) end, seeds: 2)
      assert {:crash, :error, %ArgumentError{message: message}, _} = failure.error
      assert message =~ "Lockstep.sometimes/2 needs a name, as a string or an atom, got #{inspect(name)}"
    end

    for wrong <- ["retried", [1], [nil], %{}] do
      assert_raise OptionError, ~r/for option :sometimes: expected a list of names/, fn ->
        Runner.run(fn -> :ok end, sometimes: wrong)
      end
    end
  end
end
