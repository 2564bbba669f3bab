defmodule Distribution.GlobalLivelockTest do
  # docs/global-livelock.md: a defect of OTP's `global`, on real nodes too.
  use ExUnit.Case, async: true
  use Lockstep

  alias Lockstep.{Cluster, Runner, StepLimitError}

  defp flap(options) do
    Cluster.start_nodes([:a, :b], [connect: false] ++ options)

    Cluster.run(:a, fn ->
      Node.connect(:b)
      Node.disconnect(:b)
    end)

    Process.sleep(1000)
  end

  test "R-GL7 a connection that is lost before `global` has heard of it can leave two name servers that never agree" do
    assert {:failed, failure} = Runner.explore(fn -> flap([]) end, seeds: 1..300, shrink: false)
    assert %StepLimitError{} = error = failure.error
    assert Enum.sort(error.busiest) == ["a::global_name_server", "b::global_name_server"]
    assert Exception.message(error) =~ "it is the livelock of OTP's global that docs/global-livelock.md describes"
    restarted = %{error | busiest: ["a::global_name_server", "b::global_name_server#17"]}
    assert Exception.message(restarted) =~ "the livelock"
    refute Exception.message(%{error | busiest: ["a::global_name_server", "b::store"]}) =~ "the livelock"
  end

  test "R-GL7 a node that does not connect to all has no part in it" do
    Runner.run(fn -> flap(env: [kernel: [connect_all: false]]) end, seeds: 1..300)
  end
end
