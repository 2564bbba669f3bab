defmodule Gallery.MutualCalls do
  use Gallery.Program,
    kind: :liveness,
    bug: "two servers call each other at the same time",
    fails: [Lockstep.DeadlockError]

  defmodule Shop do
    use GenServer

    def init(stock), do: {:ok, stock}
    def handle_call(:stock, _from, stock), do: {:reply, stock, stock}

    def handle_call({:total, other}, _from, stock),
      do: {:reply, stock + GenServer.call(other, :stock, :infinity), stock}
  end

  def buggy, do: totals(fn shop, other -> GenServer.call(shop, {:total, other}, :infinity) end)

  def fixed do
    totals(fn shop, other ->
      GenServer.call(shop, :stock, :infinity) + GenServer.call(other, :stock, :infinity)
    end)
  end

  defp totals(total) do
    {:ok, north} = GenServer.start_link(Shop, 3)
    {:ok, south} = GenServer.start_link(Shop, 4)
    assert together([fn -> total.(north, south) end, fn -> total.(south, north) end]) == [7, 7]
  end
end
