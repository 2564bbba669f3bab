defmodule Gallery.DiningPhilosophers do
  use Gallery.Program,
    kind: :liveness,
    bug: "each of three has taken its left fork, and waits for the right one",
    fails: Lockstep.DeadlockError

  defmodule Fork do
    use GenServer

    def init(_), do: {:ok, []}
    def handle_call(:take, _from, []), do: {:reply, :ok, [:taken]}
    def handle_call(:take, from, held), do: {:noreply, held ++ [from]}
    def handle_cast(:put, [:taken]), do: {:noreply, []}

    def handle_cast(:put, [:taken, next | waiting]) do
      GenServer.reply(next, :ok)
      {:noreply, [:taken | waiting]}
    end
  end

  def buggy, do: dine(fn left, right -> {left, right} end)
  def fixed, do: dine(fn left, right -> {min(left, right), max(left, right)} end)

  defp dine(order) do
    forks = for _ <- 1..3, do: elem(GenServer.start_link(Fork, nil), 1)
    together(for seat <- 0..2, do: fn -> eat(forks, order.(seat, rem(seat + 1, 3))) end)
  end

  defp eat(forks, {first, second}) do
    taken = for fork <- [first, second], do: Enum.at(forks, fork)
    Enum.each(taken, &GenServer.call(&1, :take, :infinity))
    Enum.each(taken, &GenServer.cast(&1, :put))
  end
end
