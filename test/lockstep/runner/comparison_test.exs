defmodule Lockstep.Runner.ComparisonTest do
  use ExUnit.Case, async: true

  alias Lockstep.NondeterminismError
  alias Lockstep.Runner.Comparison

  defp result(texts, outcome \\ :ok) do
    events =
      for {text, step} <- Enum.with_index(texts, 1), do: %{step: step, time: 0, process: 0, node: nil, text: text}

    %{events: events, outcome: outcome, hash: :erlang.phash2(texts), processes: []}
  end

  describe "difference/3" do
    test "is nil for equal runs" do
      assert Comparison.difference(1, result(~w(a b)), result(~w(a b))) == nil
    end

    test "names the first step that differs" do
      assert %NondeterminismError{seed: 1, step: 2, first: %{text: "b"}, second: %{text: "c"}} =
               Comparison.difference(1, result(~w(a b d)), result(~w(a c d)))
    end

    test "names the step after which one run had ended" do
      assert %NondeterminismError{step: 2, first: nil, second: %{text: "b"}} =
               Comparison.difference(1, result(~w(a)), result(~w(a b)))

      assert %NondeterminismError{step: 2, first: %{text: "b"}, second: nil} =
               Comparison.difference(1, result(~w(a b)), result(~w(a)))
    end

    test "sees runs that end differently after the same steps" do
      crash = {:error, {:crash, :error, %RuntimeError{message: "boom"}, []}}
      assert %NondeterminismError{step: nil} = error = Comparison.difference(1, result(~w(a)), result(~w(a), crash))
      assert Exception.message(error) =~ "went the same way but ended differently"
    end
  end

  describe "same?/2" do
    test "looks at how a run ended, not at terms that differ each time" do
      one = result(~w(a), {:error, {:crash, :exit, make_ref(), []}})
      other = result(~w(a), {:error, {:crash, :exit, make_ref(), []}})
      assert Comparison.same?(one, other)
      refute Comparison.same?(one, result(~w(a), {:error, {:crash, :throw, 1, []}}))
      refute Comparison.same?(one, result(~w(b), {:error, {:crash, :exit, 1, []}}))
    end
  end
end
